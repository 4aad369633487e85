/** Copies of unacknowledged batches that ended pages left in localStorage, and who takes them. */
import { describe, expect, it } from "vitest";
import {
  BatchGapError,
  EngineClosedError,
  IndeterminateError,
  type MillraceError,
  ResourceNotFoundError,
  StoreFullError,
} from "../../src/errors/index.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { leaveCopy } from "../../src/rpc/hand-off.ts";
import { type LeftBehindParts, takeLeftBehind } from "../../src/rpc/left-behind.ts";
import { linkLost } from "../../src/rpc/link.ts";
import { numberOf } from "./double.ts";
import { newOrigin } from "./pages.ts";

interface Put {
  readonly number: number;
  readonly settledBefore: number;
  readonly ageMs: number;
}

interface Desk {
  readonly storage: Storage;
  readonly locks: NonNullable<LeftBehindParts["locks"]>;
  readonly clock: VirtualClock;
  readonly puts: Put[];
  leave(numbers: readonly number[], settledBefore?: number): void;
  take(fail?: (put: Put) => MillraceError | undefined): Promise<void>;
}

function newDesk(): Desk {
  const { storage, locks } = newOrigin();
  const clock = new VirtualClock(1_000_000);
  const random = new SeededRandom(1);
  const puts: Put[] = [];
  return {
    ...{ storage, locks, clock, puts },
    leave: (numbers, settledBefore = numbers[0] ?? 1) => {
      const left = numbers.map((number) => {
        const bytes = new Uint8Array(64);
        new DataView(bytes.buffer).setBigUint64(32, BigInt(number), true);
        return { bytes, settledBefore, ageMs: 100, secret: false };
      });
      leaveCopy(storage, "shop", left, clock.nowMs(), random);
    },
    take: (fail) =>
      takeLeftBehind({
        ...{ engineName: "shop", storage, locks, clock },
        put: async (bytes, order) => {
          const put = { number: numberOf(new Uint8Array(bytes).buffer), ...order };
          puts.push(put);
          const error = fail?.(put);
          if (error !== undefined) throw error;
        },
      }),
  };
}

describe("what pages left behind", () => {
  it("is put in order, older by the time that it lay there, and removed", async () => {
    const desk = newDesk();
    desk.leave([3, 4]);
    desk.leave([9]);
    await desk.clock.advance(5000);
    await desk.take();
    expect(desk.puts).toEqual([
      { number: 3, settledBefore: 3, ageMs: 5100 },
      { number: 4, settledBefore: 3, ageMs: 5100 },
      { number: 9, settledBefore: 9, ageMs: 5100 },
    ]);
    expect(Object.keys(desk.storage)).toEqual([]);
    await desk.take();
    expect(desk.puts).toHaveLength(3);
  });

  it("is put before what was left later, whatever the order of its key", async () => {
    const desk = newDesk();
    const numbers = Array.from({ length: 8 }, (_, i) => i + 1);
    for (const number of numbers) {
      desk.leave([number]);
      await desk.clock.advance(1);
    }
    await desk.take();
    expect(desk.puts.map(({ number }) => number)).toEqual(numbers);
  });

  it("is not taken by two at once, nor are other engines' and strangers' keys", async () => {
    const desk = newDesk();
    desk.leave([1]);
    const [key = ""] = Object.keys(desk.storage);
    const held = await desk.locks.tryAcquire(key);
    desk.storage.setItem("millrace:shop-2:left:1", "x");
    desk.storage.setItem("theme", "dark");
    await desk.take();
    expect(desk.puts).toEqual([]);
    held?.release();
    await desk.take();
    expect(desk.puts).toHaveLength(1);
    expect(Object.keys(desk.storage)).toEqual(["millrace:shop-2:left:1", "theme"]);
    expect(await desk.locks.tryAcquire(key)).toBeDefined();
  });

  it.each<[string, MillraceError]>([
    ["the store is full", new StoreFullError("full", { retryable: true })],
    ["the engine closes", new EngineClosedError("closed")],
    ["the worker ends", linkLost()],
  ])("stays, and nothing after it is put, when %s", async (_what, error) => {
    const desk = newDesk();
    desk.leave([1, 2]);
    await desk.take(({ number }) => (number === 1 ? error : undefined));
    expect(desk.puts.map(({ number }) => number)).toEqual([1]);
    expect(Object.keys(desk.storage)).toHaveLength(1);
    await desk.take();
    expect(desk.puts.map(({ number }) => number)).toEqual([1, 1, 2]);
  });

  it.each<[string, MillraceError]>([
    ["its stream is gone", ResourceNotFoundError.stream("gone")],
    ["nobody can know whether it was stored", new IndeterminateError("too old")],
  ])("is dropped, and what follows is put, when %s", async (_what, error) => {
    const desk = newDesk();
    desk.leave([1, 2]);
    await desk.take(({ number }) => (number === 1 ? error : undefined));
    expect(desk.puts.map(({ number }) => number)).toEqual([1, 2]);
    expect(Object.keys(desk.storage)).toEqual([]);
  });

  it("waits for batches that somebody else has, but not for ever", async () => {
    const desk = newDesk();
    desk.leave([5], 3);
    const gap = new BatchGapError("wait", { argument: "batchNumber", value: 3 });
    const taking = desk.take(({ settledBefore }) => (settledBefore < 5 ? gap : undefined));
    for (let i = 0; i < 20; i++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      await desk.clock.advance(300);
    }
    await taking;
    expect(desk.puts.map(({ settledBefore }) => settledBefore)).toEqual([3, 3, 3, 3, 3, 5]);
    expect(Object.keys(desk.storage)).toEqual([]);
  });

  it.each([
    ["of a later version", '{"version":2,"batches":[]}\n'],
    ["that is garbled", "no header"],
    ["without anything", "null\n"],
    ["without batches", '{"version":1}\n'],
    ["with batches that are cut off", '{"version":1,"atMs":0,"batches":[{"byteLength":64}]}\nx'],
    ["with batches beyond all bounds", '{"version":1,"atMs":0,"batches":[{"byteLength":1e12}]}\n'],
    ["with batches that are none", '{"version":1,"atMs":0,"batches":[{"byteLength":1}]}\nx'],
  ])("of a page %s is left alone", async (_what, text) => {
    const desk = newDesk();
    desk.storage.setItem("millrace:shop:left:1", text);
    desk.leave([1]);
    await desk.take();
    expect(desk.puts).toHaveLength(1);
    expect(Object.keys(desk.storage)).toEqual(["millrace:shop:left:1"]);
  });
});
