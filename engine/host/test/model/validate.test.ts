/** What the validation says and what it hands on. */
import { assert } from "chai";
import { MillraceError, SerializationError, ValidationError } from "../../src/errors/index.ts";
import { type OperationName, operations } from "../../src/model/shapes.ts";
import { validateInput } from "../../src/model/validate.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import { randomInput } from "../support/fuzz.ts";

const ARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";

function errorOf(operation: OperationName, input: unknown): MillraceError {
  try {
    validateInput(operation, input);
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error(`${operation} took the input`);
}

describe("validateInput", () => {
  it("words broken constraints as AWS does, all of them in one error", () => {
    const error = errorOf("CreateStream", { StreamName: "", ShardCount: 0 });
    assert.instanceOf(error, ValidationError);
    assert.equal(
      error.message,
      "3 validation errors detected: Value '' at 'streamName' failed to satisfy constraint: Member must " +
        "satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value '' at 'streamName' failed to satisfy " +
        "constraint: Member must have length greater than or equal to 1; Value '0' at 'shardCount' failed " +
        "to satisfy constraint: Member must have value greater than or equal to 1",
    );
    assert.equal(error.argument, "StreamName");
    assert.equal(error.value, "");
    assert.equal(error.limit, "[a-zA-Z0-9_.-]+");
  });

  it("says where in a list a record is wrong, and what it would call an absent member", () => {
    const right = { Data: new Uint8Array(1), PartitionKey: "a" };
    const error = errorOf("PutRecords", {
      Records: [right, { PartitionKey: "" }],
      StreamName: "s",
    });
    assert.equal(
      error.message,
      "2 validation errors detected: Value null at 'records.2.member.data' failed to satisfy constraint: " +
        "Member must not be null; Value '' at 'records.2.member.partitionKey' failed to satisfy " +
        "constraint: Member must have length greater than or equal to 1",
    );
    assert.equal(error.argument, "Records[1].Data");
    assert.isNull(error.value);
  });

  it("reports elements, keys and values of the collection that holds them", () => {
    const lengths = "Member must have length less than or equal to";
    assert.equal(
      errorOf("TagResource", { ResourceARN: ARN, Tags: { "": "x".repeat(257) } }).message,
      `2 validation errors detected: Value '{=${"x".repeat(257)}}' at 'tags' failed to satisfy ` +
        `constraint: Map keys must satisfy constraint: [${lengths} 128, Member must have length greater ` +
        `than or equal to 1]; Value '{=${"x".repeat(257)}}' at 'tags' failed to satisfy constraint: Map ` +
        `value must satisfy constraint: [${lengths} 256, Member must have length greater than or equal to 0]`,
    );
    assert.equal(
      errorOf("UntagResource", { ResourceARN: ARN, TagKeys: ["a", ""] }).message,
      "1 validation error detected: Value '[a, ]' at 'tagKeys' failed to satisfy constraint: Member must " +
        `satisfy constraint: [${lengths} 128, Member must have length greater than or equal to 1]`,
    );
    assert.include(
      errorOf("UntagResource", { ResourceARN: ARN, TagKeys: [null] }).message,
      "Value null at 'tagKeys.1.member' failed to satisfy constraint: Member must not be null",
    );
  });

  it("names ten broken constraints at most", () => {
    const Records = Array.from({ length: 30 }, () => ({ PartitionKey: "a" }));
    assert.match(errorOf("PutRecords", { Records }).message, /^10 validation errors detected: /);
  });

  it("words values of another type as AWS does, whatever constraints are broken besides", () => {
    const texts: [unknown, string][] = [
      [{ StreamName: "", Limit: "5" }, "class java.lang.String can not be converted to an Integer"],
      [{ StreamName: true }, "class java.lang.Boolean can not be converted to an String"],
      [{ StreamName: [] }, "Start of list found where not expected"],
      [{ StreamName: {} }, "Start of structure or map found where not expected."],
      [{ Limit: 1.5 }, "class java.lang.Double can not be converted to an Integer"],
      [{ Limit: Number.NaN }, "class java.lang.Double can not be converted to an Integer"],
      ["text", "Expected null"],
      [[], "Start of list found where not expected"],
    ];
    for (const [input, text] of texts) {
      const error = errorOf("DescribeStream", input);
      assert.instanceOf(error, SerializationError);
      assert.equal(error.message, text);
    }
    assert.equal(
      errorOf("GetShardIterator", { Timestamp: new Date(Number.NaN) }).message,
      "class java.util.Date can not be converted to milliseconds since epoch",
    );
    assert.equal(
      errorOf("PutRecords", { Records: [{ Data: "AA==" }] }).argument,
      "Records[0].Data",
    );
  });

  it("hands on the very input when nothing is to be left out", () => {
    const Records = Array.from({ length: 500 }, (_, i) => ({
      Data: new Uint8Array(10),
      PartitionKey: `key ${i}`,
      ExplicitHashKey: undefined,
    }));
    const input = { Records, StreamName: "clicks" };
    assert.strictEqual<unknown>(validateInput("PutRecords", input), input);
  });

  it("leaves out what the model does not know and what is null, and changes nothing in place", () => {
    const record = { Data: new Uint8Array(1), PartitionKey: "a", ExplicitHashKey: null, Else: 1 };
    const input = { Records: [record], StreamName: "clicks", StreamARN: null, Color: "red" };
    assert.deepEqual<unknown>(validateInput("PutRecords", input), {
      Records: [{ Data: record.Data, PartitionKey: "a" }],
      StreamName: "clicks",
    });
    assert.property(input, "Color");
    assert.property(record, "Else");
    assert.deepEqual<unknown>(validateInput("DescribeLimits", undefined), {});
  });

  it("takes an integer that is too large for the largest", () => {
    const input = { StreamName: "clicks", ShardCount: 1e12 };
    assert.deepEqual<unknown>(validateInput("CreateStream", input), {
      StreamName: "clicks",
      ShardCount: 2_147_483_647,
    });
  });

  it("counts characters, not code units", () => {
    const put = (PartitionKey: string): unknown =>
      validateInput("PutRecord", { Data: new Uint8Array(), PartitionKey, StreamName: "s" });
    put("\u{1f600}".repeat(256));
    assert.throws(() => put("\u{1f600}".repeat(257)), "length less than or equal to 256");
  });

  it("wants patterns to match the whole text", () => {
    for (const StreamName of ["clicks\n", " clicks", "clicks/views", "cl\u0131cks"]) {
      assert.include(errorOf("DescribeStream", { StreamName }).message, "regular expression");
    }
  });

  it("is not slow over texts that are made for it to be slow", () => {
    const nested = ":kinesis:".repeat(80) + ":000000000000:".repeat(90);
    const before = process.cpuUsage();
    for (const length of [2048, 5_000_000]) {
      const ResourceARN = `arn:aws${nested}${"x".repeat(length - nested.length - 7)}`;
      assert.isBelow(errorOf("GetResourcePolicy", { ResourceARN }).message.length, 10_000);
    }
    assert.isBelow(process.cpuUsage(before).user / 1000, 2000);
  });

  it("takes every right random input and refuses every other with one of two errors", () => {
    const random = new SeededRandom(3);
    const names = Object.keys(operations) as OperationName[];
    let refusals = 0;
    for (let i = 0; i < 20_000; i++) {
      const operation = names[i % names.length] ?? "ListStreams";
      const { input, valid } = randomInput(operation, random);
      try {
        validateInput(operation, input);
      } catch (error) {
        if (!(error instanceof ValidationError || error instanceof SerializationError)) throw error;
        assert.isFalse(valid, `${operation} ${JSON.stringify(input)}: ${error.message}`);
        refusals++;
      }
    }
    assert.isAbove(refusals, 5000);
  });
});
