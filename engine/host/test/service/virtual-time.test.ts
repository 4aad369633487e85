/** Engines on virtual time: it stands still, passes when told to, and goes on after the next opening. */
import { describe, expect, it } from "vitest";
import { InProcessLocks } from "../../src/platform/in-process-locks.ts";
import type { Platform } from "../../src/platform/platform.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import { systemClock } from "../../src/platform/system-clock.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { passTime } from "../../src/platform/virtual-time.ts";
import { createEngine } from "../../src/service/engine.ts";
import type { EngineOptions, EngineService } from "../../src/service/engine-service.ts";
import { buildBatch, readSlice } from "../support/batches.ts";
import { coreModule, numberOf, someRecords } from "../support/engines.ts";

const DAY_MS = 86_400_000;

/** A machine whose clock is the real one. */
function realMachine(): Platform {
  return {
    clock: systemClock,
    random: new SeededRandom(1),
    locks: new InProcessLocks(),
    stores: virtualPlatform().stores,
  };
}

async function open(
  platform: Platform,
  options: Partial<EngineOptions> = {},
): Promise<EngineService> {
  return await createEngine(platform, await coreModule(), {
    ...{ name: "test", storage: "indexeddb", quotas: "unlimited", time: "virtual" },
    memoryBudgetBytes: 32 * 1024 * 1024,
    ...options,
  });
}

const spec = { name: "clicks", shards: 1, retentionHours: 24, recordKibMax: 1024 };

async function readNumbers(service: EngineService, streamUid: number, waitMs = 0) {
  const request = {
    ...{ streamUid, cursors: [{ shardIndex: 0, nextIndex: 0 }] },
    ...{ recordsMax: 100, bytesMax: 1_048_576, waitMs },
  };
  const slice = await service.read(request, new AbortController().signal);
  return readSlice(slice).flatMap(({ records }) => records.map(numberOf));
}

describe("virtual time", () => {
  it("stands still on a real machine until it is told to pass", async () => {
    const service = await open(realMachine());
    const startMs = await service.call("now", {});
    expect(Math.abs(startMs - Date.now())).toBeLessThan(60_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await service.call("now", {})).toBe(startMs);
    expect(await service.call("advanceTime", { byMs: 12_345 })).toBe(startMs + 12_345);
    expect(await service.call("now", {})).toBe(startMs + 12_345);
    await service.close();
  });

  it("wakes the reads that wait for it", async () => {
    const service = await open(realMachine());
    const stream = await service.call("createStream", spec);
    const waiting = readNumbers(service, stream.uid, 60_000);
    await service.call("advanceTime", { byMs: 59_999 });
    const state = await Promise.race([waiting, Promise.resolve("waiting")]);
    expect(state).toBe("waiting");
    await service.call("advanceTime", { byMs: 1 });
    expect(await waiting).toEqual([]);
    await service.close();
  });

  it("has retention done what became due when the call is answered", async () => {
    const service = await open(realMachine());
    const stream = await service.call("createStream", spec);
    const batch = buildBatch({ streamUid: stream.uid, batchNumber: 1, records: someRecords(5) });
    await service.put(batch);
    await service.call("advanceTime", { byMs: DAY_MS - 1000 });
    expect(await readNumbers(service, stream.uid)).toHaveLength(5);
    await service.call("advanceTime", { byMs: 3 * 3_600_000 });
    expect(await readNumbers(service, stream.uid)).toEqual([]);
    expect((await service.call("storageReport", {})).segments).toBe(0);
    await service.close();
  });

  it("deletes a stream when its time has come", async () => {
    const service = await open(realMachine(), { transitionMs: 5000 });
    await service.call("createStream", spec);
    await service.call("advanceTime", { byMs: 5000 });
    await service.call("deleteStream", { name: "clicks" });
    expect(await service.call("describeStream", { name: "clicks" })).toMatchObject({
      status: "DELETING",
    });
    await service.call("advanceTime", { byMs: 5000 });
    expect(await service.call("listStreams", {})).toEqual([]);
    await service.close();
  });

  it("passes a year in seconds", async () => {
    const service = await open(realMachine());
    await service.call("createStream", spec);
    const startedMs = Date.now();
    const before = await service.call("now", {});
    expect(await service.call("advanceTime", { byMs: 365 * DAY_MS })).toBe(before + 365 * DAY_MS);
    expect(Date.now() - startedMs).toBeLessThan(10_000);
    await service.close();
  });

  it("never runs back over an opening", async () => {
    const machine = realMachine();
    const first = await open(machine);
    const laterMs = await first.call("advanceTime", { byMs: 40 * DAY_MS });
    await first.close();
    const second = await open(machine);
    expect(await second.call("now", {})).toBe(laterMs);
    await second.close();
    const onSystemTime = await open(machine, { time: "system" });
    expect(await onSystemTime.call("now", {})).toBeLessThan(laterMs);
    await onSystemTime.close();
  });

  it("is taken up before anything is looked at that depends on it", async () => {
    const machine = realMachine();
    const first = await open(machine, { transitionMs: 5000 });
    await first.call("advanceTime", { byMs: 40 * DAY_MS });
    await first.call("createStream", spec);
    await first.call("advanceTime", { byMs: 5000 });
    await first.call("deleteStream", { name: "clicks" });
    await first.close();
    const second = await open(machine, { transitionMs: 5000 });
    await second.call("advanceTime", { byMs: 4999 });
    expect(await second.call("describeStream", { name: "clicks" })).toMatchObject({
      status: "DELETING",
    });
    await second.call("advanceTime", { byMs: 1 });
    expect(await second.call("listStreams", {})).toEqual([]);
    await second.close();
  });

  it("passes for one caller after the other", async () => {
    const service = await open(realMachine());
    const startMs = await service.call("now", {});
    const times = await Promise.all(
      [100, 10, 1].map((byMs) => service.call("advanceTime", { byMs })),
    );
    expect(times).toEqual([startMs + 100, startMs + 110, startMs + 111]);
    await service.close();
  });

  it("is refused where time passes by itself, and backwards", async () => {
    const onSystemTime = await open(realMachine(), { time: "system" });
    await expect(onSystemTime.call("advanceTime", { byMs: 1 })).rejects.toMatchObject({
      name: "InvalidArgumentError",
      argument: "time",
    });
    await onSystemTime.close();
    const service = await open(realMachine());
    for (const byMs of [-1, 0.5, Number.NaN, 1e15]) {
      await expect(service.call("advanceTime", { byMs })).rejects.toMatchObject({
        name: "InvalidArgumentError",
        argument: "byMs",
      });
    }
    await service.close();
  });

  it("fires timers in order, each at its own time", async () => {
    const clock = new VirtualClock(0);
    const fired: [string, number][] = [];
    const every = (name: string, periodMs: number): void => {
      clock.after(periodMs, () => {
        fired.push([name, clock.nowMs()]);
        void Promise.resolve().then(() => every(name, periodMs));
      });
    };
    every("a", 30);
    every("b", 50);
    await passTime(clock, 110);
    expect(fired).toEqual([
      ...[
        ["a", 30],
        ["b", 50],
        ["a", 60],
        ["a", 90],
        ["b", 100],
      ],
    ]);
    expect(clock.nowMs()).toBe(110);
  });
});
