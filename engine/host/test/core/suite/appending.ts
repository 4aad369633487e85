/** Append: frames and results, malformed batches, write quotas, order, memory that runs out. */
import {
  BATCH_HEADER_BYTES,
  RECORD_BYTES_MAX,
  RECORDS_PER_CALL_MAX,
  REQUEST_BYTES_MAX,
  RESULT_HEADER_BYTES,
  RESULT_MAGIC,
  RESULT_SHARD_BYTES,
  STATUS_BYTE_RATE,
  STATUS_NO_MEMORY,
  STATUS_OK,
  STATUS_ORDER,
  STATUS_RECORD_RATE,
} from "@millrace/core/layout";
import { assert } from "chai";
import type { Core } from "../../../src/core/core.ts";
import { CoreMemoryError, MalformedBatchError } from "../../../src/core/core-errors.ts";
import { InvalidArgumentError } from "../../../src/errors/index.ts";
import { type CoreBuild, newCore } from "./build.ts";
import {
  addShards,
  append,
  packBatch,
  readAll,
  someRecords,
  statuses,
  type TestRecord,
  testBytes,
  thrown,
} from "./support.ts";

const MIB = 1_048_576;
const SETTINGS = { route: 0, nowMs: 1_000_000, recordBytesMax: MIB };

/** A good batch of three records, changed. */
function spoiled(
  change: (view: DataView, batch: Uint8Array) => Uint8Array | undefined,
): Uint8Array {
  const batch = packBatch(someRecords(3, 20));
  return change(new DataView(batch.buffer), batch) ?? batch;
}

/** Bytes of a row of `someRecords(3, 20)`. */
const ROW = 40;

interface Malformed {
  readonly what: string;
  readonly batch: () => Uint8Array;
  readonly argument: string;
  readonly row?: number;
  readonly value?: number;
  readonly limit?: number;
}

const edited = (at: number, value: number, size: 16 | 32 = 32): (() => Uint8Array) => {
  return () =>
    spoiled((view) => {
      if (size === 16) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
      return undefined;
    });
};
const withKey = (key: string): (() => Uint8Array) => {
  return () => packBatch([...someRecords(1, 5), { key, data: testBytes(5) }]);
};

const MALFORMED: readonly Malformed[] = [
  { what: "is empty", batch: () => new Uint8Array(0), argument: "request", limit: 48 },
  { what: "ends in its header", batch: () => new Uint8Array(47), argument: "request", value: 47 },
  { what: "has another magic", batch: edited(0, 1), argument: "request", value: 1 },
  { what: "has a later version", batch: edited(4, 2, 16), argument: "request", value: 2, limit: 1 },
  { what: "has unknown flags", batch: edited(6, 2, 16), argument: "request", value: 2 },
  { what: "gives another length", batch: edited(12, 160), argument: "request", limit: 168 },
  { what: "is cut short", batch: () => spoiled((_, b) => b.subarray(0, 160)), argument: "request" },
  {
    what: "has too many rows",
    batch: edited(8, RECORDS_PER_CALL_MAX + 1),
    argument: "request",
    limit: RECORDS_PER_CALL_MAX,
  },
  { what: "has more rows than bytes", batch: edited(8, 4), argument: "records[3]", row: 3 },
  { what: "has bytes after its rows", batch: edited(8, 2), argument: "request", value: ROW },
  { what: "has unknown row flags", batch: edited(50, 4, 16), argument: "records[0]", value: 4 },
  {
    what: "has a row beyond its end",
    batch: edited(BATCH_HEADER_BYTES + 2 * ROW + 4, 100),
    argument: "records[2]",
    row: 2,
  },
  {
    what: "has a row of 4 GiB",
    batch: edited(BATCH_HEADER_BYTES + ROW + 4, 0xffff_ffff),
    argument: "records[1]",
    limit: MIB,
  },
  { what: "has an empty key", batch: withKey(""), argument: "records[1].partitionKey", limit: 1 },
  {
    what: "has a key of 257 characters",
    batch: withKey("é".repeat(257)),
    argument: "records[1].partitionKey",
    value: 257,
    limit: 256,
  },
  {
    what: "has a key of 1,025 bytes that are no characters",
    batch: () => {
      const batch = packBatch([{ key: "x".repeat(1_025), data: testBytes(0) }]);
      return batch.fill(0x80, BATCH_HEADER_BYTES + 8, BATCH_HEADER_BYTES + 8 + 1_025);
    },
    argument: "records[0].partitionKey",
    limit: 256,
  },
  {
    what: "has a record over the limit",
    batch: () => packBatch([{ key: "k", data: testBytes(MIB) }]),
    argument: "records[0]",
    value: MIB + 1,
    limit: MIB,
  },
];

function describeResult(result: ArrayBuffer): unknown {
  const view = new DataView(result);
  const [count, shards] = [view.getUint32(8, true), view.getUint32(24, true)];
  const rowsAt = RESULT_HEADER_BYTES + shards * RESULT_SHARD_BYTES;
  assert.equal(view.getUint32(0, true), RESULT_MAGIC);
  assert.equal(view.getUint32(28, true), result.byteLength);
  return {
    refused: view.getUint32(12, true),
    arrivalMs: view.getFloat64(16, true),
    shards: Array.from({ length: shards }, (_, i) => {
      const at = RESULT_HEADER_BYTES + i * RESULT_SHARD_BYTES;
      return [
        view.getUint32(at, true),
        view.getUint32(at + 4, true),
        view.getFloat64(at + 8, true),
      ];
    }),
    rows: Array.from({ length: count }, (_, i) => {
      const at = rowsAt + i * 16;
      const index = Number(view.getBigUint64(at + 8, true));
      return [view.getUint32(at, true), view.getUint32(at + 4, true), index];
    }),
  };
}

function malformedTests(build: CoreBuild): void {
  for (const { what, batch, argument, row, value, limit } of MALFORMED) {
    it(`refuses a batch that ${what}, and appends nothing`, async () => {
      const core = await newCore(build);
      addShards(core, 2);
      const error = thrown(MalformedBatchError, () => core.append(batch(), SETTINGS));
      assert.equal(error.code, "ValidationException");
      assert.equal(error.argument, argument);
      if (row !== undefined) assert.equal(error.row, row);
      if (value !== undefined) assert.equal(error.value, value);
      if (limit !== undefined) assert.equal(error.limit, limit);
      assert.isFalse(core.hasProvisional());
      assert.deepEqual([core.position(0).nextIndex, core.position(1).nextIndex], [0, 0]);
    });
  }

  it("refuses a request over 12 MiB and settings out of range", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    const large = new Uint8Array(REQUEST_BYTES_MAX + 1);
    const error = thrown(MalformedBatchError, () => core.append(large, SETTINGS));
    assert.deepEqual([error.value, error.limit], [REQUEST_BYTES_MAX + 1, REQUEST_BYTES_MAX]);
    const batch = packBatch(someRecords(1, 1));
    for (const bad of [{ route: 1 }, { route: 9 }, { nowMs: Number.NaN }, { recordBytesMax: 0 }]) {
      thrown(InvalidArgumentError, () => core.append(batch, { ...SETTINGS, ...bad }));
    }
  });

  it("takes keys of 256 characters of four bytes, and batches without records", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    assert.equal(append(core, [{ key: "😀".repeat(256), data: testBytes(1) }]).refusedCount, 0);
    assert.deepEqual(append(core, []), { recordCount: 0, refusedCount: 0, bytes: 0 });
    core.cut();
    core.commit(1);
    assert.equal(readAll(core, 0)[0]?.key, "😀".repeat(256));
  });
}

function quotaTests(build: CoreBuild): void {
  const quotaCore = async (): Promise<Core> => {
    const core = await newCore(build);
    addShards(core, 1, { writeQuotas: true });
    return core;
  };
  const small = someRecords(1_001, 1);

  it("takes 1,000 records per second and shard, and refuses the next", async () => {
    const core = await quotaCore();
    assert.equal(append(core, small).refusedCount, 1);
    assert.deepEqual(statuses(core, 1_001).slice(999), [STATUS_OK, STATUS_RECORD_RATE]);
    assert.equal(core.writeRetryAfterMs(0, 1, 1_000_000), 1);
    assert.equal(append(core, small.slice(0, 11), { nowMs: 1_000_010 }).refusedCount, 1);
    assert.equal(append(core, small, { nowMs: 1_010_000 }).refusedCount, 1, "the tank holds 1,000");
  });

  it("takes 10 MiB at once, then 1 MiB per second", async () => {
    const core = await quotaCore();
    const tenth: TestRecord = { key: "k", data: testBytes(MIB - 1) };
    const records = Array.from({ length: 11 }, () => tenth);
    assert.equal(append(core, records).refusedCount, 1);
    assert.equal(core.appendRow(10).status, STATUS_BYTE_RATE);
    assert.equal(core.writeRetryAfterMs(0, MIB, 1_000_000), 1_000);
    assert.equal(append(core, [tenth], { nowMs: 1_000_999 }).refusedCount, 1);
    assert.equal(append(core, [tenth], { nowMs: 1_001_000 }).refusedCount, 0);
  });

  it("says how long to wait so that the wait is enough and a millisecond less is not", async () => {
    const core = await quotaCore();
    let nowMs = 1_700_000_000_123;
    append(core, [{ key: "k", data: testBytes(RECORD_BYTES_MAX - 1) }], { nowMs });
    for (let length = 5_000; length < 900_000; length = length * 3 + 1) {
      const waitMs = core.writeRetryAfterMs(0, length + 1, nowMs);
      const record = { key: "k", data: testBytes(length) };
      assert.isAbove(waitMs, 0);
      assert.equal(append(core, [record], { nowMs: nowMs + waitMs - 1 }).refusedCount, 1);
      assert.equal(append(core, [record], { nowMs: nowMs + waitMs }).refusedCount, 0);
      nowMs += waitMs;
    }
  });

  it("neither refills nor starves when the clock goes backwards", async () => {
    const core = await quotaCore();
    append(core, small);
    assert.equal(append(core, small, { nowMs: 500_000 }).refusedCount, 1_001);
    assert.equal(append(core, small, { nowMs: 500_100 }).refusedCount, 901);
  });

  it("takes tokens for what it appends only", async () => {
    const core = await quotaCore();
    append(core, small.slice(0, 1_000));
    for (let i = 0; i < 10; i++) append(core, small.slice(0, 5));
    assert.equal(core.writeRetryAfterMs(0, 1, 1_000_000), 1);
  });

  it("gives tokens back that were taken for what was rewound", async () => {
    const core = await quotaCore();
    append(core, small.slice(0, 400));
    core.cut();
    core.commit(1);
    append(core, small.slice(0, 600));
    core.rewind();
    assert.equal(append(core, small).refusedCount, 401);
  });
}

function orderTests(build: CoreBuild): void {
  it("refuses the rest of a shard's records in an ordered batch, and of no other shard", async () => {
    const core = await newCore(build);
    addShards(core, 2, { writeQuotas: true });
    const to = (hashKey: bigint, bytes: number): TestRecord => {
      return { key: "k", data: testBytes(bytes), explicitHashKey: hashKey };
    };
    const full = RECORD_BYTES_MAX - 100;
    const high = 1n << 127n;
    append(core, [to(0n, full)], { ordered: true });
    const batch = [to(0n, 10), to(0n, 200), to(high, 10), to(0n, 10), to(high, 10)];
    append(core, batch, { ordered: true });
    assert.deepEqual(statuses(core, 5), [
      STATUS_OK,
      STATUS_BYTE_RATE,
      STATUS_OK,
      STATUS_ORDER,
      STATUS_OK,
    ]);
    append(core, batch.slice(1));
    assert.deepEqual(statuses(core, 4), [STATUS_BYTE_RATE, STATUS_OK, STATUS_OK, STATUS_OK]);
  });

  it("packs results with shards in order of first appearance", async () => {
    const core = await newCore(build);
    addShards(core, 2, { writeQuotas: true, nextIndex: 40 });
    const to = (hashKey: bigint, bytes: number): TestRecord => {
      return { key: "k", data: testBytes(bytes), explicitHashKey: hashKey };
    };
    append(core, [to(1n << 127n, 1), to(0n, RECORD_BYTES_MAX - 1), to(0n, MIB - 1), to(0n, 1)]);
    const result = core.packResult(1_000_000, (slot) => ({
      shardIndex: 10 + slot,
      createdSeconds: 500 + slot,
    }));
    assert.deepEqual(describeResult(result), {
      refused: 2,
      arrivalMs: 1_000_000,
      shards: [
        [11, 0, 501],
        [10, 1_000, 500],
      ],
      rows: [
        [0, STATUS_OK, 40],
        [1, STATUS_OK, 40],
        [1, STATUS_BYTE_RATE, 0],
        [1, STATUS_BYTE_RATE, 0],
      ],
    });
    thrown(InvalidArgumentError, () => core.appendRow(4));
  });
}

function memoryTests(build: CoreBuild): void {
  it("takes a record of 10 MiB and reads it back", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    const record = { key: "k", data: testBytes(RECORD_BYTES_MAX - 1) };
    append(core, [{ key: "before", data: testBytes(9) }]);
    assert.equal(append(core, [record]).refusedCount, 0);
    append(core, [{ key: "after", data: testBytes(9) }]);
    core.cut();
    core.commit(1);
    const records = readAll(core, 0);
    assert.deepEqual(
      records.map(({ key }) => key),
      ["before", "k", "after"],
    );
    assert.equal(core.xxh64(records[1]?.data ?? testBytes(0)), core.xxh64(record.data));
  });

  it("refuses records when all memory is dirty, and takes them again when some is stored", async () => {
    const core = await newCore(build, { arenaBytesMax: 4 * MIB });
    addShards(core, 1);
    const batch = someRecords(20, 20_000);
    let appended = 0;
    while (append(core, batch).refusedCount === 0) appended += batch.length;
    assert.isAbove(appended * 20_000, 3 * MIB, "most of the arena is used");
    assert.include(statuses(core, 20), STATUS_NO_MEMORY);
    const view = new DataView(core.packResult(0, () => ({ shardIndex: 0, createdSeconds: 0 })));
    assert.isAbove(view.getUint32(RESULT_HEADER_BYTES + 4, true), 0, "a retry is advised");
    core.cut();
    core.commit(1);
    assert.equal(append(core, batch).refusedCount, 20, "durable is not yet stored");
    for (const { segment } of core.sealable(10)) {
      core.seal(segment, { epoch: 1 });
      core.declare(segment);
    }
    assert.equal(append(core, batch).refusedCount, 0);
  });

  it("gives a typed error when a large request finds no room, and goes on with small ones", async () => {
    const core = await newCore(build, { arenaBytesMax: 2 * MIB });
    addShards(core, 1);
    append(core, someRecords(1, 700_000));
    const request = packBatch(someRecords(2, MIB));
    const error = thrown(CoreMemoryError, () =>
      core.append(request, { ...SETTINGS, recordBytesMax: RECORD_BYTES_MAX }),
    );
    assert.isTrue(error.retryable);
    assert.equal(append(core, someRecords(2, 100)).refusedCount, 0);
  });

  it("gives the memory of a large request back, whether it is taken or refused", async () => {
    const core = await newCore(build);
    addShards(core, 1);
    const before = core.memory().freeBytes;
    const large = packBatch(someRecords(3, 2 * MIB));
    thrown(MalformedBatchError, () => core.append(large, SETTINGS));
    assert.equal(core.memory().freeBytes, before);
    core.append(large, { ...SETTINGS, recordBytesMax: RECORD_BYTES_MAX });
    core.rewind();
    assert.equal(core.memory().freeBytes, before);
    assert.equal(core.memory().dirtyBytes, 0);
  });

  it("gives busy shards larger segments, and each no more than its share of the arena", async () => {
    const sizes = async (shards: number): Promise<number> => {
      const core = await newCore(build, { arenaBytesMax: 32 * MIB });
      addShards(core, shards);
      const to = (): TestRecord => ({ key: "k", data: testBytes(50_000), explicitHashKey: 0n });
      for (let i = 0; i < 80; i++) append(core, [to()]);
      core.cut();
      core.commit(1);
      core.rollOlderThan(Number.POSITIVE_INFINITY);
      return Math.max(...core.sealable(100).map(({ byteLength }) => byteLength));
    };
    assert.isAbove(await sizes(1), 512 * 1_024);
    assert.isAtMost(await sizes(16), 512 * 1_024);
  });
}

/** The suite. */
export function appendSuite(build: CoreBuild): void {
  describe(`append of the ${build.name} core`, () => {
    malformedTests(build);
    quotaTests(build);
    orderTests(build);
    memoryTests(build);
  });
}
