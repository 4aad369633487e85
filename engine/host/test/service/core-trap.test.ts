/** A core that traps: the engine recovers from the store by itself, and nothing is lost or doubled. */
import { describe, expect, it } from "vitest";
import { Core } from "../../src/core/core.ts";
import { CoreTrapError } from "../../src/core/core-errors.ts";
import type { ShardLogCore } from "../../src/core/core-types.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { openEngine } from "../../src/service/engine.ts";
import type { EngineService } from "../../src/service/engine-service.ts";
import { buildBatch } from "../support/batches.ts";
import { coreModule, numberOf, someRecords, TestEngine } from "../support/engines.ts";

type Method = "append" | "cut" | "commit" | "locate";

/** Cores of which the n-th call of a method traps, counted over all lives, and all calls after it. */
function trappingCores(method: Method, nth: readonly number[]): () => Promise<ShardLogCore> {
  let calls = 0;
  return async () => {
    const core: ShardLogCore = await Core.instantiate(await coreModule(), {
      shardSlotsMax: 1024,
      routesMax: 512,
      arenaBytesMax: 16 * 1024 * 1024,
    });
    let trapped = false;
    return new Proxy(core, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...values: unknown[]): unknown => {
          if (name === method) {
            calls++;
            trapped ||= nth.includes(calls);
          }
          if (trapped) throw new CoreTrapError(`${String(name)} trapped`);
          return Reflect.apply(member, target, values);
        };
      },
    });
  };
}

async function openTrapping(
  method: Method,
  nth: readonly number[],
  storage: "indexeddb" | "memory" = "indexeddb",
): Promise<{ engine: TestEngine; service: EngineService }> {
  const platform = virtualPlatform({ recoverable: storage === "indexeddb" });
  const service = await openEngine(platform, trappingCores(method, nth), {
    name: "test",
    storage,
    quotas: "unlimited",
    memoryBudgetBytes: 32 * 1024 * 1024,
  });
  return { engine: new TestEngine(service, platform, 42), service };
}

describe("a core that traps", () => {
  for (const method of ["append", "cut", "commit", "locate"] as const) {
    it(`at the third ${method} is replaced, and every record is there once`, async () => {
      const { engine, service } = await openTrapping(method, [3]);
      const stream = await engine.createStream("clicks", 2);
      const puts = Array.from({ length: 6 }, (_, i) =>
        engine.put(stream, someRecords(10, 100, i * 10)),
      );
      for (const rows of await Promise.all(puts)) {
        expect(rows.every((row) => row.status === 0)).toBe(true);
      }
      await engine.readAll(stream);
      const numbers = (await engine.readAll(stream)).map(numberOf).sort((a, b) => a - b);
      expect(numbers).toEqual(Array.from({ length: 60 }, (_, i) => i));
      expect((await service.call("storageReport", {})).epoch).toBe(2);
      await service.close();
    });
  }

  it("leaves no repeat of a batch behind that came while calls are watched", async () => {
    const { engine, service } = await openTrapping("commit", [2]);
    const { uid } = await engine.createStream();
    let release = (): void => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    const { faults } = engine.platform.stores;
    faults.add({ kind: "none", nth: 1, operations: ["appendFrame"], until });
    const batch = (): ArrayBuffer =>
      buildBatch({ streamUid: uid, batchNumber: 1, records: someRecords(5), producer: 9 });
    const first = service.put(batch());
    await service.call("setFaults", {
      rules: [
        {
          operation: "ListStreams",
          effect: { kind: "error", code: "InternalFailureException" },
        },
      ],
    });
    const repeat = service.put(batch());
    await new Promise((resolve) => setTimeout(resolve, 5));
    release();
    const [one, other] = await Promise.all([first, repeat]);
    expect(new Uint8Array(other)).toEqual(new Uint8Array(one));
    expect((await service.call("storageReport", {})).epoch).toBe(2);
    await service.close();
  });

  it("keeps the order of batches that were under way", async () => {
    const { engine, service } = await openTrapping("append", [3]);
    const stream = await engine.createStream();
    const one = (i: number): Promise<unknown> =>
      engine.put(stream, [
        { key: "k", data: someRecords(1, 100, i)[0]?.data ?? new Uint8Array(4) },
      ]);
    await Promise.all([1, 2, 3, 4, 5].map(one));
    expect((await engine.readAll(stream)).map(numberOf)).toEqual([1, 2, 3, 4, 5]);
    await service.close();
  });

  it("once a stream is in the log answers with that stream, and not that it exists", async () => {
    const { engine, service } = await openTrapping("commit", [2]);
    await engine.put(await engine.createStream("a"), someRecords(1));
    const b = engine.createStream("b", 2);
    await expect(b).resolves.toMatchObject({ name: "b", shards: 2 });
    expect(await service.call("deleteStream", { name: "a" })).toBeNull();
    await service.close();
  });

  it("twice for one batch refuses that batch and goes on with the next", async () => {
    const { engine, service } = await openTrapping("append", [2, 3]);
    const stream = await engine.createStream();
    await engine.put(stream, someRecords(1, 100, 1));
    await expect(engine.put(stream, someRecords(1, 100, 2))).rejects.toMatchObject({
      code: "InternalFailureException",
    });
    await engine.put(stream, someRecords(1, 100, 3));
    expect((await engine.readAll(stream)).map(numberOf)).toEqual([1, 3]);
    await service.close();
  });

  it("fails an engine in memory for good instead of showing it empty", async () => {
    const { engine, service } = await openTrapping("append", [2], "memory");
    const stream = await engine.createStream();
    await engine.put(stream, someRecords(1));
    await expect(engine.put(stream, someRecords(1))).rejects.toMatchObject({
      name: "EngineFailedError",
    });
    await expect(engine.readAll(stream)).rejects.toMatchObject({ name: "EngineFailedError" });
    await service.close();
  });
});
