/** Clients whose worker dies: what was under way goes on with the next one. */
import { describe, expect, it } from "vitest";
import {
  BatchGapError,
  EngineClosedError,
  ThreadCrashError,
  VersionMismatchError,
  WasmLoadError,
} from "../../src/errors/index.ts";
import type { ReadRequest } from "../../src/service/engine-service.ts";
import { turns } from "../support/turns.ts";
import {
  batchOf,
  keep,
  never,
  numberOf,
  openRestarting,
  outcome,
  type Restarting,
  type ThreadPlan,
} from "./double.ts";

const READ: ReadRequest = {
  streamUid: 1,
  cursors: [{ shardIndex: 0, nextIndex: 0 }],
  recordsMax: 10,
  bytesMax: 1000,
  waitMs: 20_000,
};

const answering: ThreadPlan = { put: async (batch) => resultOf(batch) };

/** A result that tells which batch it is for. */
function resultOf(batch: ArrayBuffer): ArrayBuffer {
  return new ArrayBuffer(32 + numberOf(batch));
}

async function open(plans: readonly ThreadPlan[], limits = {}): Promise<Restarting> {
  return keep(await openRestarting(plans, { limits }));
}

describe("a client whose worker dies", () => {
  it("sends what is not acknowledged again, in order, under its own numbers", async () => {
    const { client, threads, clock, puts } = await open([
      { put: (batch) => (numberOf(batch) === 2 ? Promise.resolve(resultOf(batch)) : never) },
      answering,
    ]);
    const results = [64, 80, 96, 112].map((byteLength) => client.put(batchOf(byteLength)));
    await turns();
    await clock.advance(1500);
    threads[0]?.fail("out of memory");
    const later = client.put(batchOf(128));
    expect((await Promise.all([...results, later])).map((result) => result?.byteLength)).toEqual([
      33, 34, 35, 36, 37,
    ]);
    expect(threads[0]?.terminated).toBe(true);
    const again = puts.filter(({ thread }) => thread === 1);
    expect(again.map(({ number }) => number)).toEqual([1, 3, 4, 5]);
    expect(again.map(({ order }) => order?.ageMs)).toEqual([1500, 1500, 1500, 0]);
    expect(again[0]?.order?.settledBefore).toBe(1);
    expect(client.closed).toBe(false);
  });

  it("tells with every batch which ones are settled", async () => {
    const { client, puts } = await open([answering]);
    await client.put(batchOf(64));
    await client.put(batchOf(64));
    await Promise.all([client.put(batchOf(64)), client.put(batchOf(64))]);
    expect(puts.map(({ order }) => order?.settledBefore)).toEqual([1, 2, 3, 3]);
  });

  it("makes calls and reads again, and tells the engine that it asks again", async () => {
    const asked: unknown[] = [];
    const { client, threads } = await open([
      {},
      {
        call: async (operation, _argument, again) => {
          asked.push([operation, again]);
          return [] as never;
        },
        read: async () => new ArrayBuffer(48),
      },
    ]);
    const call = client.call("listStreams", {});
    const read = client.read(READ);
    await turns();
    threads[0]?.fail(undefined);
    expect(await call).toEqual([]);
    expect((await read).byteLength).toBe(48);
    expect(await client.call("listStreams", {})).toEqual([]);
    expect(asked).toEqual([
      ["listStreams", true],
      ["listStreams", false],
    ]);
  });

  it("knows that what was put while there was no worker was never sent", async () => {
    const { client, threads, clock } = await open([{}, "fails to open"]);
    await turns();
    threads[0]?.fail("gone");
    const put = outcome(client.put(batchOf(64)));
    for (const ms of [250, 500]) {
      await turns();
      await clock.advance(ms);
    }
    expect(await put).toBeInstanceOf(WasmLoadError);
    expect(await put).toMatchObject({ indeterminate: false });
    expect(clock.pendingTimers).toBe(0);
  });

  it("lets a read be aborted while there is no worker", async () => {
    const { client, threads } = await open([{}, "never opens"]);
    const controller = new AbortController();
    const read = outcome(client.read(READ, controller.signal));
    await turns();
    threads[0]?.fail("gone");
    await turns();
    controller.abort("left");
    expect(await read).toBe("left");
  });

  it("gives up when workers die three times within ten seconds", async () => {
    const { client, threads, clock } = await open([{}]);
    const put = outcome(client.put(batchOf(64)));
    for (const ms of [0, 4000, 4000]) {
      await turns();
      await clock.advance(ms);
      threads.at(-1)?.fail("out of memory");
    }
    expect(await put).toBeInstanceOf(ThreadCrashError);
    expect(await put).toMatchObject({ indeterminate: true });
    expect(String(await put)).toMatch(/3 times in 10 s: out of memory/);
    expect(client.closed).toBe(true);
    expect(await outcome(client.call("listStreams", {}))).toMatchObject({ indeterminate: false });
    expect(threads).toHaveLength(3);
  });

  it("goes on for ever when they die less often", async () => {
    const { client, threads, clock, puts } = await open([{}]);
    void outcome(client.put(batchOf(64)));
    for (let i = 0; i < 8; i++) {
      await turns();
      await clock.advance(6000);
      threads.at(-1)?.fail("out of memory");
    }
    await turns();
    expect(threads).toHaveLength(9);
    expect(puts.map(({ number }) => number)).toEqual(Array.from({ length: 9 }, () => 1));
    expect(client.closed).toBe(false);
  });

  it("tries again when the next worker does not open, and says why when none does", async () => {
    const { client, threads, clock } = await open([{}, "fails to open", answering]);
    const put = client.put(batchOf(64));
    await turns();
    threads[0]?.fail("gone");
    await turns();
    await clock.advance(250);
    expect((await put)?.byteLength).toBe(33);
    const other = await open([{}, "fails to open"]);
    const lost = outcome(other.client.put(batchOf(64)));
    const call = outcome(other.client.call("listStreams", {}));
    await turns();
    other.threads[0]?.fail("gone");
    for (const ms of [250, 500]) {
      await turns();
      await other.clock.advance(ms);
    }
    expect(await lost).toBeInstanceOf(ThreadCrashError);
    expect(await lost).toMatchObject({ indeterminate: true });
    expect(await call).toBeInstanceOf(WasmLoadError);
    expect(other.threads).toHaveLength(4);
  });

  it("gives up at once when the next worker is of another build", async () => {
    const { client, threads } = await open([{}, "is of another build"]);
    const call = outcome(client.call("listStreams", {}));
    await turns();
    threads[0]?.fail("gone");
    expect(await call).toBeInstanceOf(VersionMismatchError);
    expect(client.closed).toBe(true);
    expect(threads).toHaveLength(2);
  });

  it("closes quietly while it starts another one", async () => {
    const { client, threads } = await open([{}, "never opens"]);
    const call = outcome(client.call("listStreams", {}));
    await turns();
    threads[0]?.fail("gone");
    await turns();
    await client.close();
    expect(await call).toBeInstanceOf(EngineClosedError);
    expect(threads[1]?.terminated).toBe(true);
  });
});

describe("a batch that comes before another one", () => {
  it("is sent again from the batch on that the engine wants", async () => {
    let lost = 2;
    const taken: number[] = [];
    const { client, clock, puts } = await open([
      {
        put: async (batch) => {
          const number = numberOf(batch);
          if (taken.includes(number)) return resultOf(batch);
          const wanted = taken.length + 1;
          // The first two times the engine forgets the first batch.
          if (number !== wanted || lost-- > 0) {
            throw new BatchGapError("wait", { argument: "batchNumber", value: wanted });
          }
          taken.push(number);
          return resultOf(batch);
        },
      },
    ]);
    const results = Promise.all([1, 2, 3].map(() => client.put(batchOf(64))));
    for (let i = 0; i < 10; i++) {
      await turns();
      await clock.advance(20 * i);
    }
    expect((await results).map((result) => result?.byteLength)).toEqual([33, 34, 35]);
    expect(taken).toEqual([1, 2, 3]);
    expect(puts.length).toBeLessThan(20);
  });

  it("is refused when the engine wants another one for ever", async () => {
    const { client, clock } = await open([
      { put: async () => Promise.reject(new BatchGapError("wait", { value: 1 })) },
    ]);
    const failure = outcome(client.put(batchOf(64)));
    for (let i = 0; i < 100; i++) {
      await turns(2);
      await clock.advance(2000);
    }
    expect(await failure).toBeInstanceOf(BatchGapError);
  });
});
