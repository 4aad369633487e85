/** Calls that meet: deletion under readers, close and full stores under puts, traps under everything. */
import { describe, expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { readSlice } from "../support/batches.ts";
import { numberOf, someRecords, TestEngine } from "../support/engines.ts";
import { newFates, putBatch, tolerate, whileTimePasses } from "../support/fates.ts";

const never = new AbortController().signal;
const BUDGET = { memoryBudgetBytes: 16 * 1024 * 1024 };

describe("a stream that is deleted while it is read", () => {
  it("ends the read, and never shows the records of its slot's next stream", async () => {
    const platform = virtualPlatform();
    const writer = await TestEngine.open(platform, BUDGET);
    const old = await writer.createStream("old");
    for (let i = 0; i < 30; i++) await writer.put(old, someRecords(10, 10_000, i * 10));
    await writer.service.close();
    const machine = platform.restart();
    const engine = await TestEngine.open(machine, BUDGET);
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    machine.stores.faults.add({ kind: "none", nth: 1, operations: ["readSegment"], until });
    const cursors = [{ shardIndex: 0, nextIndex: 0 }];
    const request = { streamUid: old.uid, cursors, recordsMax: 100, bytesMax: 65_536, waitMs: 0 };
    const reading = engine.service.read(request, never);
    const outcome = reading.then(
      (slice) => readSlice(slice).flatMap((part) => part.records.map(numberOf)),
      (error: unknown) => error,
    );
    const deletion = engine.service.call("deleteStream", { name: "old" });
    release();
    await deletion;
    const next = await engine.createStream("next");
    await engine.put(next, someRecords(3, 100, 5000));
    expect(await outcome).toMatchObject({ code: "ResourceNotFoundException" });
    await engine.service.close();
  });
});

describe("a store that takes no segments at the first attempt", () => {
  it("leaves neither a put nor close waiting for ever", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform, BUDGET);
    const stream = await engine.createStream("clicks", 2);
    for (let i = 0; i < 400; i++) {
      platform.stores.faults.add({ kind: "full", nth: 1, operations: ["addSegments"] });
    }
    const fates = newFates();
    const puts = Array.from({ length: 14 }, (_, i) =>
      putBatch(engine, stream, someRecords(40, 24_000, i * 40), fates),
    );
    await whileTimePasses(platform, Promise.all(puts));
    await whileTimePasses(platform, tolerate(engine.service.close()));
    expect(fates.acknowledged.size + fates.refused.size).toBe(14 * 40);
  });
});

describe("a store that is emptied while the engine is idle", () => {
  it("is told whoever notices first, and no later put is acknowledged", async () => {
    const platform = virtualPlatform();
    const writer = await TestEngine.open(platform, BUDGET);
    const stream = await writer.createStream();
    for (let i = 0; i < 30; i++) await writer.put(stream, someRecords(10, 10_000, i * 10));
    await writer.service.close();
    const machine = platform.restart();
    const engine = await TestEngine.open(machine, BUDGET);
    const disk = machine.stores.disk("test");
    for (const frameNumber of disk.frameNumbers()) disk.overwriteFrame(frameNumber, undefined);
    for (const key of disk.segmentKeys()) disk.overwriteSegment(key, undefined);
    machine.stores.faults.add({
      kind: "unknown-not-written",
      nth: 1,
      operations: ["readSegment"],
    });
    const gone = { name: "ResourceNotFoundError" };
    await expect(engine.readAll(stream)).rejects.toMatchObject(gone);
    await expect(engine.put(stream, someRecords(1))).rejects.toMatchObject(gone);
    expect(await engine.service.call("dataLoss", {})).toMatchObject([{ kind: "log" }]);
    await engine.service.close();
  });
});

describe("retention under a wall clock that is wrong", () => {
  it("drops nothing for a jump, and says why", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform, BUDGET);
    const stream = await engine.createStream();
    await engine.put(stream, someRecords(5));
    await platform.clock.advance(600_000);
    platform.clock.jumpWall(10 * 365 * 86_400_000);
    await platform.clock.advance(600_000);
    expect((await engine.readAll(stream)).map(numberOf)).toEqual([0, 1, 2, 3, 4]);
    const report = await engine.service.call("storageReport", {});
    expect(report.retentionPausedBecause).toMatch(/wall clock/);
    platform.clock.jumpWall(-10 * 365 * 86_400_000);
    await platform.clock.advance(120_000);
    const later = await engine.service.call("storageReport", {});
    expect(later.retentionPausedBecause).toBeUndefined();
    await engine.service.close();
  });
});
