/** AWS JSON 1.1: what is on the wire, and what is refused with which words. */
import { SerializationError } from "@millrace/engine/model";
import { assert } from "chai";
import { decodeJson, encodeJson, json11 } from "../../../src/aws/codec/json11.ts";

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function refusal(
  name: Parameters<typeof decodeJson>[0],
  body: Uint8Array | string,
): SerializationError {
  try {
    decodeJson(name, body);
  } catch (error) {
    assert.instanceOf(error, SerializationError);
    return error as SerializationError;
  }
  throw new Error(`${name} took ${String(body)}`);
}

describe("AWS JSON 1.1", () => {
  it("writes blobs in base64, times in seconds, and only what the model knows", () => {
    const output = {
      Records: [
        {
          SequenceNumber: "1",
          Data: Uint8Array.of(1, 2, 255),
          ApproximateArrivalTimestamp: new Date(1_418_253_661_123),
          PartitionKey: 'a"\u20ac',
          Else: 1,
        },
      ],
      NextShardIterator: undefined,
      MillisBehindLatest: 0,
    };
    assert.equal(
      textOf(encodeJson("GetRecordsOutput", output)),
      '{"Records":[{"SequenceNumber":"1","Data":"AQL/","ApproximateArrivalTimestamp":1418253661.123,' +
        '"PartitionKey":"a\\"\u20ac"}],"MillisBehindLatest":0}',
    );
    assert.equal(textOf(encodeJson("GetRecordsOutput", undefined)), "{}");
  });

  it("reads what clients write", () => {
    const body =
      '{"StreamName":"s","ShardId":"1","ShardIteratorType":"AT_TIMESTAMP","Timestamp":1.418253661123E9}';
    assert.deepEqual(decodeJson("GetShardIteratorInput", body), {
      StreamName: "s",
      ShardId: "1",
      ShardIteratorType: "AT_TIMESTAMP",
      Timestamp: new Date(1_418_253_661_123),
    });
    const put = new TextEncoder().encode('{"Records":[{"Data":"AQL/","PartitionKey":"\u20ac"}]}');
    assert.deepEqual(decodeJson("PutRecordsInput", put), {
      Records: [{ Data: Uint8Array.of(1, 2, 255), PartitionKey: "\u20ac" }],
    });
    const [record] = (decodeJson("PutRecordsInput", put) as { Records: { Data: object }[] })
      .Records;
    assert.equal(record?.Data.constructor, Uint8Array);
  });

  it("takes null for absent, the last of two, and leaves unknown members out", () => {
    const body =
      '{"StreamName":"a","StreamName":"b","StreamARN":null,"Color":[{}],"constructor":1,"__proto__":{"Limit":1}}';
    const value = decodeJson("DescribeStreamInput", body);
    assert.deepEqual(value, { StreamName: "b" });
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
  });

  it("keeps any key of a map", () => {
    const body = '{"Tags":{"__proto__":"x","constructor":"y"},"StreamName":"s"}';
    const value = decodeJson("AddTagsToStreamInput", body) as { Tags: object };
    assert.sameMembers(Object.keys(value.Tags), ["__proto__", "constructor"]);
    assert.equal(textOf(encodeJson("AddTagsToStreamInput", value)), body);
  });

  it("words values of another type as AWS does", () => {
    const texts: [string, string, string][] = [
      ['{"Data":1}', "TruncatingBigNumber can not be converted to a Blob", "Data"],
      ['{"Data":[]}', "Start of list found where not expected", "Data"],
      [
        '{"Data":"A"}',
        "'A' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 1",
        "Data",
      ],
      [
        '{"Data":"AA-A"}',
        "'AA-A' can not be converted to a Blob: Invalid Base64 character: '-'",
        "Data",
      ],
      [
        '{"Data":"AA=A"}',
        "'AA=A' can not be converted to a Blob: Invalid Base64 character: '='",
        "Data",
      ],
      [
        '{"Data":"AB=="}',
        "'AB==' can not be converted to a Blob: Invalid last non-pad Base64 character dectected",
        "Data",
      ],
      [
        '{"PartitionKey":{}}',
        "Start of structure or map found where not expected.",
        "PartitionKey",
      ],
      [
        '{"PartitionKey":5}',
        "TruncatingBigNumber can not be converted to an String",
        "PartitionKey",
      ],
      ['{"DryRun":"yes"}', "class java.lang.String can not be converted to an Boolean", "DryRun"],
      ["[]", "Start of list found where not expected", ""],
      ["5", "Expected null", ""],
      ["null", "Expected null", ""],
    ];
    for (const [body, text, argument] of texts) {
      const error = refusal("PutRecordInput", body);
      assert.include(error.message, text, body);
      assert.equal(error.argument, argument);
    }
    const inList = refusal("PutRecordsInput", '{"Records":[{},{"Data":true}]}');
    assert.equal(inList.argument, "Records[1].Data");
    assert.equal(inList.message, "class java.lang.Boolean can not be converted to a Blob");
    assert.equal(
      refusal("PutRecordsInput", '{"Records":{}}').message,
      "Start of structure or map found where not expected.",
    );
    assert.equal(refusal("PutRecordsInput", '{"Records":5}').message, "Expected list or null");
    assert.equal(refusal("PutRecordsInput", '{"Records":[5]}').message, "Expected null");
    assert.equal(refusal("AddTagsToStreamInput", '{"Tags":5}').message, "Expected map or null");
    assert.equal(refusal("AddTagsToStreamInput", '{"Tags":{"a":5}}').argument, "Tags.a");
    assert.match(
      refusal("GetShardIteratorInput", '{"Timestamp":"x"}').message,
      /milliseconds since epoch$/,
    );
    assert.match(
      refusal("GetShardIteratorInput", '{"Timestamp":1e300}').message,
      /milliseconds since epoch$/,
    );
  });

  it("refuses what is no JSON in UTF-8", () => {
    const broken = ["", "{", '{"a":', "{'a':1}", "\0", "nul", '{"a":1}}', `${"[".repeat(500_000)}`];
    for (const body of broken) refusal("PutRecordInput", body);
    refusal("PutRecordInput", Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d));
  });

  it("leaves nulls within lists and maps to the validation", () => {
    assert.deepEqual(decodeJson("UntagResourceInput", '{"TagKeys":["a",null]}'), {
      TagKeys: ["a", null],
    });
    assert.deepEqual(decodeJson("TagResourceInput", '{"Tags":{"a":null}}'), { Tags: { a: null } });
  });

  it("writes errors as AWS does", () => {
    const body = json11.encodeError({ code: "ExpiredIteratorException", message: "old" });
    assert.equal(textOf(body), '{"__type":"ExpiredIteratorException","message":"old"}');
  });
});
