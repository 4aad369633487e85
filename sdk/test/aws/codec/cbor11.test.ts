/** AWS's CBOR 1.1 against an independent codec, against AWS JSON 1.1, and against bytes of any kind. */
import { createRequire } from "node:module";
import { SerializationError, type StructureName } from "@millrace/engine/model";
import { assert } from "chai";
import { STRUCTURES } from "../../../../engine/host/src/model/kinesis-shapes.generated.ts";
import { SeededRandom } from "../../../../engine/host/src/platform/seeded-random.ts";
import { randomStructure } from "../../../../engine/host/test/support/fuzz.ts";
import { cbor11, decodeCbor, encodeCbor } from "../../../src/aws/codec/cbor11.ts";
import { decodeJson, encodeJson } from "../../../src/aws/codec/json11.ts";

/** The codec that kinesalite uses: written by others, and by nobody of this repository. */
interface IndependentCbor {
  readonly Tagged: new (tag: number, value: unknown) => object;
  readonly Encoder: { encodeOne(value: unknown, options?: { highWaterMark: number }): Uint8Array };
  decodeFirstSync(
    bytes: Uint8Array,
    options: { tags: Record<number, (value: number) => unknown> },
  ): unknown;
}
const independent = createRequire(import.meta.url)("cbor") as IndependentCbor;

const names = Object.keys(STRUCTURES) as StructureName[];
const ROUNDS = 40;

/** Calls back with random values of every structure of the model. */
function forAllStructures(check: (name: StructureName, value: object) => void): number {
  const random = new SeededRandom(11);
  let count = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of names) {
      check(name, randomStructure(name, random));
      count++;
    }
  }
  return count;
}

/** The value with every date replaced by what the function makes of it; byte strings as Buffers. */
function plain(value: unknown, dateAs: (date: Date) => unknown): unknown {
  if (value instanceof Date) return dateAs(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  if (Array.isArray(value)) return value.map((element) => plain(element, dateAs));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, plain(of, dateAs)]));
}

const hex = (text: string): Uint8Array =>
  new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));
const keyed = (name: string): string =>
  Buffer.from([0xa1, 0x60 + name.length, ...Buffer.from(name)]).toString("hex");

function refusal(name: StructureName, bytes: Uint8Array): SerializationError {
  try {
    decodeCbor(name, bytes);
  } catch (error) {
    if (error instanceof SerializationError) return error;
    throw error;
  }
  throw new Error(`${name} took ${Buffer.from(bytes).toString("hex")}`);
}

describe("AWS's CBOR 1.1", () => {
  it(`is equal to JSON on every shape (${names.length} structures, ${ROUNDS} values of each)`, () => {
    const count = forAllStructures((name, value) => {
      const fromCbor = decodeCbor(name, encodeCbor(name, value));
      assert.deepEqual(fromCbor, value, name);
      assert.deepEqual(fromCbor, decodeJson(name, encodeJson(name, value)), name);
    });
    assert.equal(count, names.length * ROUNDS);
  });

  it("is read by an independent codec as it was meant", () => {
    const tags = { 1: (ms: number) => ({ ms }) };
    forAllStructures((name, value) => {
      const read = independent.decodeFirstSync(Buffer.from(encodeCbor(name, value)), { tags });
      assert.deepEqual(
        read,
        plain(value, (date) => ({ ms: date.getTime() })),
        name,
      );
    });
  });

  it("reads what an independent codec writes", () => {
    forAllStructures((name, value) => {
      const tagged = plain(value, (date) => new independent.Tagged(1, date.getTime()));
      const bytes = independent.Encoder.encodeOne(tagged, { highWaterMark: 1 << 20 });
      assert.deepEqual(decodeCbor(name, bytes), value, name);
    });
  });

  it("writes timestamps as whole milliseconds under tag 1", () => {
    const bytes = encodeCbor("StreamSummary", {
      StreamCreationTimestamp: new Date(1_418_253_661_123),
    });
    const written = Buffer.from(bytes).toString("hex");
    assert.isTrue(written.endsWith("c11b0000014a368173c3"), written);
  });

  it("reads timestamps as clients write them", () => {
    const expected = new Date(1_418_253_661_123);
    const forms = [
      "c1 1b 0000014a368173c3", // milliseconds
      "1b 0000014a368173c3", // without a tag
      "c1 fb 4274a368173c3000", // milliseconds of an encoder without 64-bit integers
      "c1 fb 41d522355747df3b", // seconds
    ];
    for (const form of forms) {
      const bytes = hex(`${keyed("Timestamp")}${form}`);
      const value = decodeCbor("GetShardIteratorInput", bytes) as { Timestamp: Date };
      assert.equal(value.Timestamp.getTime(), expected.getTime(), form);
    }
  });

  it("reads numbers of every size", () => {
    const forms: [string, number][] = [
      ["00", 0],
      ["17", 23],
      ["18 18", 24],
      ["19 ffff", 65_535],
      ["1a ffffffff", 4_294_967_295],
      ["1b 001fffffffffffff", Number.MAX_SAFE_INTEGER],
      ["20", -1],
      ["38 63", -100],
      ["3b 001ffffffffffffe", -Number.MAX_SAFE_INTEGER],
      ["f9 0000", 0],
      ["f9 3c00", 1],
      ["f9 7bff", 65_504],
      ["f9 0001", 2 ** -24],
      ["f9 0400", 2 ** -14],
      ["f9 c400", -4],
      ["f9 7c00", Number.POSITIVE_INFINITY],
      ["fa 47c35000", 100_000],
      ["fb 3ff199999999999a", 1.1],
    ];
    for (const [form, number] of forms) {
      const bytes = hex(`${keyed("Limit")}${form}`);
      assert.deepEqual(decodeCbor("ListStreamsInput", bytes), { Limit: number }, form);
    }
  });

  it("reads items without a length, foreign tags, null and undefined", () => {
    const bytes = hex(
      "d9d9f7 bf 675265636f726473 9f bf 6444617461 5f 420102 41ff ff 6c506172746974696f6e4b6579 7f 6161 6162 ff ff ff" +
        "6953747265616d41524e f6 68556e6b6e6f776e58 9f 83 01 02 a1 6161 f7 ff 6644727952756e f7 ff",
    );
    assert.deepEqual(decodeCbor("PutRecordsInput", bytes), {
      Records: [{ Data: Uint8Array.of(1, 2, 255), PartitionKey: "ab" }],
    });
  });

  it("words values of another type as AWS does", () => {
    const forms: [StructureName, string, string][] = [
      [
        "PutRecordInput",
        `${keyed("Data")}6141`,
        "class java.lang.String can not be converted to a Blob",
      ],
      [
        "PutRecordInput",
        `${keyed("DryRun")}01`,
        "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an Boolean",
      ],
      ["PutRecordInput", `${keyed("StreamName")}80`, "Start of list found where not expected"],
      [
        "PutRecordInput",
        `${keyed("StreamName")}a0`,
        "Start of structure or map found where not expected.",
      ],
      ["PutRecordsInput", `${keyed("Records")}f5`, "Expected list or null"],
      ["PutRecordInput", "80", "Start of list found where not expected"],
      [
        "PutRecordInput",
        "a10102",
        "class com.amazon.coral.value.json.numbers.TruncatingBigNumber can not be converted to an String",
      ],
    ];
    for (const [name, form, text] of forms) assert.equal(refusal(name, hex(form)).message, text);
  });

  it("refuses what is malformed, however much it claims to be", () => {
    const malformed = [
      "",
      "ff",
      "a1",
      "bf",
      "a16444617461 5bffffffffffffffff 00", // more bytes than there are
      "a16444617461 5a7fffffff 00",
      "bbffffffffffffffff", // as many entries
      "a1675265636f7264739bffffffffffffffff",
      "a16444617461 5f 6161 ff", // a text within bytes
      "a16444617461 5f 5f ff ff",
      "a16444617461 5c",
      "a0 00", // goes on after its end
      "a161 78 1f", // a length that ends nothing
      "1f",
      "df",
      "a1 62c328 00", // no UTF-8
      `a16158${"81".repeat(100)}00`, // deep in what is skipped
      `a16158${"9f".repeat(1_000_000)}`,
      `${"c1".repeat(1_000_000)}`,
    ];
    for (const form of malformed) refusal("PutRecordsInput", hex(form));
  });

  it("refuses a list that is far longer than any of the model", () => {
    const bytes = new Uint8Array(5_000_000).fill(0xa0);
    bytes.set(hex("a1675265636f7264739f"));
    assert.equal(refusal("PutRecordsInput", bytes).argument, "Records");
  });

  it("meets changed and random bytes with an answer or a SerializationError", () => {
    const random = new SeededRandom(5);
    let refusals = 0;
    for (let i = 0; i < 30_000; i++) {
      const name = names[i % names.length] ?? "PutRecordsInput";
      const bytes =
        i % 4 === 0
          ? random.fill(new Uint8Array(random.below(60)))
          : encodeCbor(name, randomStructure(name, random));
      for (let change = random.below(3); change >= 0 && bytes.length > 0; change--) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      const cut = random.below(3) === 0 ? random.below(bytes.length + 1) : bytes.length;
      try {
        decodeCbor(name, bytes.subarray(0, cut));
      } catch (error) {
        if (!(error instanceof SerializationError)) throw error;
        refusals++;
      }
    }
    assert.isAbove(refusals, 10_000);
  });

  it("writes errors as AWS does", () => {
    const message = "Stream X under account N not found.";
    const body = cbor11.encodeError({ code: "ResourceNotFoundException", message });
    const read = independent.decodeFirstSync(Buffer.from(body), { tags: {} });
    assert.deepEqual(read, { __type: "ResourceNotFoundException", message });
  });

  it("writes texts of every length and script", () => {
    for (const length of [0, 1, 23, 24, 85, 86, 255, 256, 21_846, 65_536]) {
      for (const character of ["a", "\u00e4", "\u20ac", "\u{1f600}"]) {
        const value = { Policy: character.repeat(length) };
        assert.deepEqual(
          decodeCbor("GetResourcePolicyOutput", encodeCbor("GetResourcePolicyOutput", value)),
          value,
        );
      }
    }
  });
});
