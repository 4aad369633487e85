import { REQUEST_BYTES_MAX } from "@millrace/core/layout";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InvalidArgumentError, RecordTooLargeError } from "../../src/errors/index.ts";
import { BATCH_BYTES_TARGET, BatchEncoder, stampBatch } from "../../src/rpc/batch-encoder.ts";
import { BufferPool } from "../../src/rpc/buffer-pool.ts";
import { checkRecord, type PutRecord } from "../../src/rpc/record-input.ts";
import { readText, writeText } from "../../src/rpc/text.ts";
import { buildBatch } from "../support/batches.ts";

const MIB = 1_048_576;
const encoder = new TextEncoder();

function pack(records: readonly PutRecord[], pool = new BufferPool()): Uint8Array {
  const batch = new BatchEncoder(pool);
  for (const [i, record] of records.entries()) {
    expect(batch.add(checkRecord(`records[${i}]`, record), `records[${i}]`, MIB)).toBe(true);
  }
  const packed = batch.finish(7);
  const producerId = new Uint8Array(16);
  producerId[0] = 1;
  stampBatch(packed, producerId, 3);
  expect(packed.recordCount).toBe(records.length);
  return new Uint8Array(packed.buffer, 0, packed.byteLength);
}

const key = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
const someText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.string({ maxLength: 300 }),
);
const someRecord = fc.record({
  key,
  data: fc.oneof(fc.uint8Array({ maxLength: 300 }), someText),
  hashKey: fc.option(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), { nil: undefined }),
});

describe("text in packed buffers", () => {
  it("is the UTF-8 of TextEncoder, and reads back as what was written", () => {
    fc.assert(
      fc.property(someText, fc.nat(20), (text, at) => {
        const bytes = new Uint8Array(at + text.length * 3);
        const length = writeText(bytes, at, text);
        expect(bytes.subarray(at, at + length)).toEqual(encoder.encode(text));
        expect(readText(bytes.subarray(at, at + length))).toBe(text);
      }),
    );
  });

  it("keeps a byte order mark", () => {
    const long = `\uFEFF${"a".repeat(500)}`;
    for (const text of ["\uFEFFa", long]) expect(readText(encoder.encode(text))).toBe(text);
  });
});

describe("BatchEncoder", () => {
  it("writes byte for byte what the layout says", () => {
    fc.assert(
      fc.property(fc.array(someRecord, { minLength: 1, maxLength: 20 }), (records) => {
        const packed = pack(
          records.map(({ key: partitionKey, data, hashKey }) => ({
            partitionKey,
            data,
            ...(hashKey === undefined ? {} : { explicitHashKey: hashKey.toString() }),
          })),
        );
        const expected = buildBatch({
          streamUid: 7,
          batchNumber: 3,
          records: records.map((record) => ({
            key: record.key,
            data: typeof record.data === "string" ? encoder.encode(record.data) : record.data,
            ...(record.hashKey === undefined ? {} : { explicitHashKey: record.hashKey }),
          })),
        });
        expect(packed).toEqual(new Uint8Array(expected));
      }),
    );
  });

  it("leaves nothing of a recycled buffer in a batch", () => {
    const pool = new BufferPool();
    const dirty = new ArrayBuffer(8192);
    new Uint8Array(dirty).fill(0xff);
    pool.give(dirty);
    const records = [{ partitionKey: "a", data: "xyz" }];
    expect(pack(records, pool)).toEqual(pack(records));
    expect(pool.freeBytes).toBe(0);
  });

  it("writes values as JSON, strings as text, bytes of any realm as they are", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    const cases: [PutRecord["data"], Uint8Array][] = [
      [{ page: "/cart", n: 1 }, encoder.encode('{"page":"/cart","n":1}')],
      [[1, "é"], encoder.encode('[1,"é"]')],
      [12.5, encoder.encode("12.5")],
      [null, encoder.encode("null")],
      [false, encoder.encode("false")],
      ["text", encoder.encode("text")],
      ["", new Uint8Array()],
      [bytes, bytes],
      [bytes.buffer, bytes],
      [Buffer.from(bytes), bytes],
      [new Uint8Array(bytes.buffer, 1, 1), Uint8Array.of(2)],
    ];
    for (const [data, expected] of cases) {
      const packed = pack([{ partitionKey: "k", data }]);
      const length = new DataView(packed.buffer).getUint32(52, true);
      expect(packed.slice(57, 57 + length)).toEqual(expected);
    }
  });

  it("copies the data when it is added", () => {
    const data = Uint8Array.of(1, 2, 3);
    const batch = new BatchEncoder(new BufferPool());
    batch.add(checkRecord("record", { partitionKey: "k", data }), "record", MIB);
    data.fill(9);
    const { buffer } = batch.finish(1);
    expect(new Uint8Array(buffer, 57, 3)).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("goes back to a mark", () => {
    const batch = new BatchEncoder(new BufferPool());
    const add = (data: string) =>
      batch.add(checkRecord("record", { partitionKey: "k", data }), "record", MIB);
    add("one");
    const mark = batch.mark();
    add("x".repeat(9000));
    batch.rewind(mark);
    add("two");
    const twice = new BatchEncoder(new BufferPool());
    for (const data of ["one", "two"]) {
      twice.add(checkRecord("record", { partitionKey: "k", data }), "record", MIB);
    }
    const [a, b] = [batch.finish(1), twice.finish(1)];
    expect(new Uint8Array(a.buffer, 0, a.byteLength)).toEqual(
      new Uint8Array(b.buffer, 0, b.byteLength),
    );
  });

  it("is full at about 1 MiB and at 10,000 records, but takes one record of any size", () => {
    const large = checkRecord("r", { partitionKey: "k", data: new Uint8Array(400_000) });
    const batch = new BatchEncoder(new BufferPool());
    expect([1, 2, 3].map(() => batch.add(large, "r", MIB))).toEqual([true, true, false]);
    expect(batch.byteLength).toBeLessThanOrEqual(BATCH_BYTES_TARGET);
    const small = checkRecord("r", { partitionKey: "k", data: "" });
    const many = new BatchEncoder(new BufferPool());
    let count = 0;
    while (many.add(small, "r", MIB)) count++;
    expect(count).toBe(10_000);
    const huge = checkRecord("r", { partitionKey: "k", data: new Uint8Array(10 * MIB - 1) });
    const alone = new BatchEncoder(new BufferPool());
    expect(alone.add(huge, "r", 10 * MIB)).toBe(true);
    expect(alone.add(small, "r", MIB)).toBe(false);
    expect(alone.byteLength).toBeLessThan(REQUEST_BYTES_MAX);
  });
});

describe("bad records", () => {
  const good = { partitionKey: "k", data: "x" };
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;

  it.each<[string, unknown, string]>([
    ["an empty partition key", { ...good, partitionKey: "" }, "records[3].partitionKey"],
    [
      "a key of 257 characters",
      { ...good, partitionKey: "x".repeat(257) },
      "records[3].partitionKey",
    ],
    ["a key that is no string", { ...good, partitionKey: 5 }, "records[3].partitionKey"],
    [
      "half a surrogate pair in a key",
      { ...good, partitionKey: "a\ud800" },
      "records[3].partitionKey",
    ],
    ["data that is undefined", { partitionKey: "k" }, "records[3].data"],
    ["data that is a function", { ...good, data: () => 1 }, "records[3].data"],
    ["data that is a symbol", { ...good, data: Symbol("x") }, "records[3].data"],
    ["data that is a bigint", { ...good, data: 1n }, "records[3].data"],
    ["data that holds itself", { ...good, data: cyclic }, "records[3].data"],
    ["another view than bytes", { ...good, data: new Float64Array(1) }, "records[3].data"],
    [
      "a hash key of 2^128",
      { ...good, explicitHashKey: (1n << 128n).toString() },
      "records[3].explicitHashKey",
    ],
    ["a hash key in words", { ...good, explicitHashKey: "0x10" }, "records[3].explicitHashKey"],
    ["a negative hash key", { ...good, explicitHashKey: "-1" }, "records[3].explicitHashKey"],
    ["no object", "record", "records[3]"],
    ["null", null, "records[3]"],
  ])("refuses %s, naming argument, value and limit", (_what, record, argument) => {
    let thrown: unknown;
    try {
      checkRecord("records[3]", record as PutRecord);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(InvalidArgumentError);
    expect(thrown).toMatchObject({ argument });
    expect((thrown as InvalidArgumentError).message).toContain(argument);
    expect((thrown as InvalidArgumentError).value).toBeDefined();
    expect((thrown as InvalidArgumentError).limit).toBeDefined();
  });

  it("counts Unicode characters of a key, not code units", () => {
    expect(checkRecord("r", { ...good, partitionKey: "😀".repeat(256) }).key).toHaveLength(512);
    expect(() => checkRecord("r", { ...good, partitionKey: "😀".repeat(257) })).toThrow(
      /it has 257/,
    );
  });

  it("takes the first and the last hash key", () => {
    const last = ((1n << 128n) - 1n).toString();
    expect(checkRecord("r", { ...good, explicitHashKey: "0" }).hashKey).toBe(0n);
    expect(checkRecord("r", { ...good, explicitHashKey: last }).hashKey).toBe((1n << 128n) - 1n);
  });

  it("refuses data and key over the stream's limit, in bytes, to the byte", () => {
    const batch = new BatchEncoder(new BufferPool());
    const add = (data: string) =>
      batch.add(checkRecord("records[3]", { partitionKey: "é", data }), "records[3]", 1000);
    expect(add("x".repeat(998))).toBe(true);
    expect(() => add("x".repeat(999))).toThrow(RecordTooLargeError);
    expect(() => add("é".repeat(500))).toThrow(/records\[3\].*1000 bytes.*1002/);
    expect(batch.count).toBe(1);
  });

  it("refuses a giant string before it is encoded", () => {
    const data = "x".repeat(10 * MIB + 1);
    expect(() => checkRecord("record", { partitionKey: "k", data })).toThrow(RecordTooLargeError);
  });
});

describe("BufferPool", () => {
  it("hands out the smallest buffer that fits, once", () => {
    const pool = new BufferPool();
    const [small, large] = [new ArrayBuffer(8192), new ArrayBuffer(65_536)];
    pool.give(large);
    pool.give(small);
    expect(pool.take(5000)).toBe(small);
    expect(pool.take(5000)).toBe(large);
    expect(pool.take(5000)).not.toBe(large);
  });

  it("keeps neither detached nor giant buffers, and only so many", () => {
    const pool = new BufferPool();
    const detached = new ArrayBuffer(8192);
    structuredClone(detached, { transfer: [detached] });
    pool.give(detached);
    pool.give(new ArrayBuffer(16 * MIB));
    expect(pool.freeBytes).toBe(0);
    for (let i = 0; i < 20; i++) pool.give(new ArrayBuffer(MIB));
    expect(pool.freeBytes).toBe(16 * MIB);
  });
});
