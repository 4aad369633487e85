/**
 * A store that fails its n-th operation, for every n of a scenario that appends, seals, checkpoints and
 * deletes: what was acknowledged is there, what was refused is not, sequence indexes only grow.
 */
import { describe, expect, it } from "vitest";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { type Fault, FaultPlan, type StoreOperation } from "../../src/storage/fault-plan.ts";
import type { ReadRecord, TestRecord } from "../support/batches.ts";
import { someRecords, TestEngine } from "../support/engines.ts";
import {
  checkFates,
  FAULT_KINDS,
  type Fates,
  newFates,
  putBatch,
  tolerate,
  whileTimePasses,
} from "../support/fates.ts";

const BATCHES = 5;
const RECORDS_PER_BATCH = 40;
const DATA_BYTES = 17_500;
const MEMORY_BUDGET_BYTES = 16 * 1024 * 1024;

/** Batches by their first number: every run puts the same ones. */
const batches = new Map<number, TestRecord[]>();

function someBatch(first: number): TestRecord[] {
  const batch = batches.get(first) ?? someRecords(RECORDS_PER_BATCH, DATA_BYTES, first);
  batches.set(first, batch);
  return batch;
}

/** One life of an engine in which anything may fail; errors are part of it. */
async function live(platform: VirtualPlatform, fates: Fates): Promise<void> {
  const engine = await TestEngine.open(platform, { memoryBudgetBytes: MEMORY_BUDGET_BYTES });
  const stream = await engine.createStream("clicks", 2);
  const spare = await engine.createStream("spare", 1);
  await putBatch(engine, spare, someBatch(1_000_000), newFates());
  for (let i = 0; i < BATCHES; i += 2) {
    await Promise.all([
      putBatch(engine, stream, someBatch(i * RECORDS_PER_BATCH), fates),
      putBatch(engine, stream, someBatch((i + 1) * RECORDS_PER_BATCH), fates),
    ]);
    await platform.clock.advance(1500);
  }
  await engine.service.call("deleteStream", { name: "spare" });
  await engine.service.close();
}

async function recordsAfterRestart(platform: VirtualPlatform): Promise<ReadRecord[]> {
  const machine = platform.restart();
  machine.stores.faults = new FaultPlan();
  const engine = await TestEngine.open(machine, { memoryBudgetBytes: MEMORY_BUDGET_BYTES });
  const streams = await engine.service.call("listStreams", {});
  const stream = streams.find(({ name }) => name === "clicks");
  const records = stream === undefined ? [] : await engine.readAll(stream);
  expect(await engine.service.call("dataLoss", {})).toEqual([]);
  if (stream !== undefined) {
    const highest = Math.max(-1, ...records.map(({ index }) => index));
    for (const row of await engine.put(stream, someRecords(20, 100, 5_000_000))) {
      expect(row.index).toBeGreaterThan(highest);
    }
  }
  await engine.service.close();
  return records;
}

async function run(
  faults: readonly Fault[],
  what: string,
): Promise<{ operations: readonly StoreOperation[]; fates: Fates }> {
  const platform = virtualPlatform();
  const plan = new FaultPlan(faults);
  platform.stores.faults = plan;
  const fates = newFates();
  await whileTimePasses(platform, tolerate(live(platform, fates)));
  checkFates(await recordsAfterRestart(platform), fates, what);
  return { operations: plan.operations, fates };
}

describe("a store that fails its n-th operation", () => {
  it("fails nothing in the scenario when no fault is planned", async () => {
    const { operations, fates } = await run([], "no fault");
    expect(fates.refused.size).toBe(0);
    expect(fates.acknowledged.size).toBe((BATCHES + 1) * RECORDS_PER_BATCH);
    expect(operations.length).toBeGreaterThan(30);
    // It seals, it makes checkpoints and it deletes segments of a stream that goes.
    for (const operation of ["addSegments", "deleteFrames", "deleteSegments"] as const) {
      expect(operations).toContain(operation);
    }
  });

  for (const kind of FAULT_KINDS) {
    it(`keeps every promise when the operation ends with ${kind}`, async () => {
      let nth = 1;
      for (; nth < 500; nth++) {
        const { operations } = await run([{ kind, nth }], `${kind} at operation ${nth}`);
        if (operations.length < nth) break;
      }
      expect(nth).toBeGreaterThan(30);
    }, 120_000);
  }
});

describe("a store that takes no segments", () => {
  it("turns puts away with a retryable error once memory is full, and takes them again later", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform, { memoryBudgetBytes: MEMORY_BUDGET_BYTES });
    const stream = await engine.createStream("clicks", 2);
    for (let nth = 1; nth <= 10; nth++) {
      platform.stores.faults.add({ kind: "full", nth: 1, operations: ["addSegments"] });
    }
    const fates = newFates();
    const puts = Array.from({ length: 16 }, (_, i) =>
      putBatch(engine, stream, someBatch(i * RECORDS_PER_BATCH), fates),
    );
    await whileTimePasses(platform, Promise.all(puts));
    expect(fates.acknowledged.size).toBeGreaterThan(0);
    expect(fates.refused.size).toBeGreaterThan(0);
    await platform.clock.advance(60_000);
    const late = newFates();
    await putBatch(engine, stream, someBatch(50_000), late);
    expect(late.acknowledged.size).toBe(RECORDS_PER_BATCH);
    checkFates(await engine.readAll(stream), fates, "after room came back");
    await engine.service.close();
  });
});

describe("a store whose data is cleared", () => {
  it("ends the life of the log; the next one tells of the loss, and stores nothing as if nothing had been", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform, { memoryBudgetBytes: MEMORY_BUDGET_BYTES });
    const stream = await engine.createStream("clicks", 1);
    await engine.put(stream, someRecords(5));
    const disk = platform.stores.disk("test");
    for (const frameNumber of disk.frameNumbers()) disk.overwriteFrame(frameNumber, undefined);
    platform.stores.faults.add({
      kind: "unknown-not-written",
      nth: 1,
      operations: ["appendFrame"],
    });
    const gone = { name: "ResourceNotFoundError" };
    await expect(engine.put(stream, someRecords(5))).rejects.toMatchObject(gone);
    // What became of the producer's earlier batches nobody knows any more.
    const unknown = { name: "IndeterminateError" };
    await expect(engine.put(stream, someRecords(5))).rejects.toMatchObject(unknown);
    expect(await engine.service.call("dataLoss", {})).toMatchObject([{ kind: "log" }]);
    const again = await engine.createStream("clicks", 1);
    expect(again.uid).toBeGreaterThan(stream.uid);
    expect(await engine.readAll(again)).toEqual([]);
    await engine.service.close();
  });
});
