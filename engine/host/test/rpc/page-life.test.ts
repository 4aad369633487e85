/** Pages that end, or are put aside and come back, with puts under way. */
import { describe, expect, it, vi } from "vitest";
import { BatchGapError, EngineClosedError, StoreFullError } from "../../src/errors/index.ts";
import type { KeptBatch } from "../../src/rpc/hand-off.ts";
import { turns } from "../support/turns.ts";
import { batchOf, keep, never, numberOf, outcome, type ThreadPlan } from "./double.ts";
import { newOrigin, type Origin, openPage, type Page } from "./pages.ts";

const silent: ThreadPlan = {};
const answering: ThreadPlan = { put: async (batch) => new ArrayBuffer(32 + numberOf(batch)) };

async function open(
  plans: readonly ThreadPlan[],
  origin: Origin = newOrigin(),
  limits = {},
): Promise<Page> {
  return keep(await openPage(plans, origin, limits));
}

function numbersOf(batches: readonly KeptBatch[] | undefined): number[] {
  return (batches ?? []).map(({ bytes }) => numberOf(new Uint8Array(bytes).buffer));
}

/** A batch of a stream that is filled with a byte. */
function batchFor(streamUid: number, byteLength: number, byte = 0): ReturnType<typeof batchOf> {
  const batch = batchOf(byteLength);
  new Uint8Array(batch.buffer).fill(byte, 48);
  new DataView(batch.buffer).setUint32(40, streamUid, true);
  return batch;
}

describe("a page that ends", () => {
  it("ends its worker and gives the broker what is not acknowledged, in order, all at once", async () => {
    const page = await open([
      { put: (batch) => (numberOf(batch) === 1 ? Promise.resolve(new ArrayBuffer(32)) : never) },
    ]);
    await page.client.put(batchOf(64));
    const puts = [64, 80, 96].map((byteLength) => page.client.put(batchOf(byteLength)));
    await turns();
    page.hide();
    expect(page.threads[0]?.terminated).toBe(true);
    expect(page.kept).toHaveLength(1);
    const [batches] = page.kept;
    expect(numbersOf(batches)).toEqual([2, 3, 4]);
    expect(batches?.map(({ bytes, settledBefore }) => [bytes.length, settledBefore])).toEqual([
      [64, 2],
      [80, 2],
      [96, 2],
    ]);
    for (const put of puts) void outcome(put);
  });

  it("takes along what listeners put in that moment, and what waited for room or its turn", async () => {
    const page = await open([silent], newOrigin(), { outboxBytesMax: 100 });
    page.client.onLeave(() => void outcome(page.client.put(batchOf(112))));
    void outcome(page.client.put(batchOf(64)));
    void outcome(page.client.put(batchOf(80)));
    void outcome(page.client.put(batchOf(96), { after: never }));
    page.hide();
    expect(page.kept[0]?.map(({ bytes }) => bytes.length)).toEqual([64, 80, 112, 96]);
    expect(numbersOf(page.kept[0])).toEqual([1, 2, 3, 4]);
  });

  it("hands over what is put after it was told to end", async () => {
    const page = await open([silent]);
    page.hide();
    expect(page.kept).toEqual([]);
    void outcome(page.client.put(batchOf(64)));
    void outcome(page.client.put(batchOf(80)));
    expect(page.kept.map(numbersOf)).toEqual([[1], [2]]);
    expect(Object.keys(page.storage)).toHaveLength(2);
  });

  it("hands over what would have waited for room or its turn, too, when it was told to end", async () => {
    const page = await open([silent], newOrigin(), { outboxBytesMax: 100 });
    void outcome(page.client.put(batchOf(64)));
    page.hide();
    void outcome(page.client.put(batchOf(80)));
    void outcome(page.client.put(batchOf(96), { after: never }));
    expect(page.kept.map(numbersOf)).toEqual([[1], [2], [3]]);
  });

  it("hands over nothing when all is acknowledged, or the client is closed", async () => {
    const page = await open([answering]);
    await page.client.put(batchOf(64));
    page.hide();
    expect(page.kept).toEqual([]);
    page.show();
    await page.client.close();
    expect(await outcome(page.client.put(batchOf(64)))).toBeInstanceOf(EngineClosedError);
    page.hide();
    expect(page.kept).toEqual([]);
    expect(Object.keys(page.storage)).toEqual([]);
  });

  it("tells as what a batch counts", async () => {
    const page = await open([silent]);
    const call = {
      operation: "PutRecord",
      caller: { principal: "arn:aws:iam::000000000000:user/ann" },
    } as const;
    void outcome(page.client.put(batchOf(64), { call }));
    await turns();
    await page.clock.advance(700);
    page.hide();
    expect(page.kept[0]?.[0]).toMatchObject({ call, ageMs: 700 });
  });
});

describe("the copy in localStorage", () => {
  it("is taken by another page, byte for byte, under the original numbers, and removed", async () => {
    const origin = newOrigin();
    const first = await open([silent], origin);
    const all = batchFor(1, 304);
    new Uint8Array(all.buffer).set(
      Uint8Array.from({ length: 256 }, (_, i) => i),
      48,
    );
    void outcome(first.client.put(all));
    void outcome(first.client.put(batchFor(1, 64)));
    await first.clock.advance(500);
    first.hide();
    expect(Object.keys(origin.storage)).toHaveLength(1);
    const taken: { bytes: Uint8Array; order: unknown }[] = [];
    const second = await open(
      [
        {
          put: async (batch, _call, order) => {
            taken.push({ bytes: new Uint8Array(batch.slice(0)), order });
            return new ArrayBuffer(32);
          },
        },
      ],
      origin,
    );
    await vi.waitFor(() => expect(Object.keys(origin.storage)).toEqual([]));
    expect(taken.map(({ bytes }) => numberOf(new Uint8Array(bytes).buffer))).toEqual([1, 2]);
    expect(taken[0]?.bytes).toEqual(new Uint8Array(all.buffer));
    expect(taken[0]?.order).toEqual({ settledBefore: 1, ageMs: 500 });
    expect(second.kept).toEqual([]);
  });

  it("is taken by a page that is open already, as soon as it hears of it", async () => {
    const origin = newOrigin();
    const other = await open([answering], origin);
    const page = await open([silent], origin);
    void outcome(page.client.put(batchOf(64)));
    page.hide();
    for (const key of Object.keys(origin.storage)) other.stored(key);
    await vi.waitFor(() => expect(Object.keys(origin.storage)).toEqual([]));
    expect(other.puts.map(({ number }) => number)).toEqual([1]);
  });

  it("holds the oldest batches that fit into 1 MiB, each whole", async () => {
    const page = await open([silent]);
    for (const kib of [600, 300, 200, 10]) void outcome(page.client.put(batchOf(kib * 1024)));
    page.hide();
    expect(numbersOf(page.kept[0])).toEqual([1, 2, 3, 4]);
    const [text = ""] = Object.values(page.storage);
    expect(JSON.parse(text.slice(0, text.indexOf("\n"))).batches).toMatchObject([
      { byteLength: 600 * 1024 },
      { byteLength: 300 * 1024 },
    ]);
  });

  it("takes no more than 1 MiB of a page, however often that ends", async () => {
    const page = await open([silent, "never opens"]);
    for (const kib of [600, 400]) void outcome(page.client.put(batchOf(kib * 1024)));
    for (let i = 0; i < 3; i++) {
      page.hide();
      page.show();
      await turns();
    }
    page.hide();
    void outcome(page.client.put(batchOf(20 * 1024)));
    void outcome(page.client.put(batchOf(10 * 1024)));
    const heads = Object.values(page.storage).map((text: string) =>
      JSON.parse(text.split("\n")[0] ?? ""),
    );
    const sizes = heads.flatMap(({ batches }) =>
      batches.map(({ byteLength }: { byteLength: number }) => byteLength / 1024),
    );
    expect(sizes.sort((one, other) => other - one)).toEqual([600, 400, 20]);
  });

  it("never holds a batch of an encrypted stream, as descriptions or results tell", async () => {
    const page = await open([
      {
        call: async () => ({ uid: 5, encryption: { masterKeyId: "k" } }) as never,
        put: async (batch) => {
          const result = new DataView(new ArrayBuffer(32));
          if (numberOf(batch) > 1) return await never;
          result.setUint16(6, 1, true);
          return result.buffer;
        },
      },
    ]);
    await page.client.call("describeStream", { name: "secret" });
    await page.client.put(batchFor(6, 64));
    void outcome(page.client.put(batchFor(5, 64, 0x55)));
    void outcome(page.client.put(batchFor(6, 64, 0x66)));
    void outcome(page.client.put(batchFor(7, 64, 0x77)));
    page.hide();
    expect(numbersOf(page.kept[0])).toEqual([2, 3, 4]);
    const [text = ""] = Object.values(page.storage);
    expect(text).toContain("w".repeat(16));
    expect(text).not.toMatch(/U{16}|f{16}/);
  });

  it("holds none of a stream that may be encrypted since this page began an encryption", async () => {
    const page = await open([
      {
        call: async (operation) =>
          (operation === "describeStream" ? { uid: 5, encryption: null } : undefined) as never,
      },
    ]);
    await page.client.call("describeStream", { name: "clicks" });
    await page.client.call("invoke", {
      operation: "StartStreamEncryption",
      input: { StreamName: "clicks", EncryptionType: "KMS", KeyId: "alias/aws/kinesis" },
      caller: { principal: "arn:aws:iam::000000000000:root" },
    });
    void outcome(page.client.put(batchFor(5, 64, 0x55)));
    page.hide();
    expect(numbersOf(page.kept[0])).toEqual([1]);
    expect(Object.keys(page.storage)).toEqual([]);
    page.show();
    await page.client.call("describeStream", { name: "clicks" });
    page.hide();
    expect(Object.values(page.storage).join()).toContain("U".repeat(16));
  });

  it("is not there when localStorage refuses, and the broker has the batches all the same", async () => {
    const origin = newOrigin();
    const storage = Object.assign(Object.create(origin.storage), {
      setItem: () => {
        throw new Error("QuotaExceededError");
      },
    });
    const page = await open([silent], { ...origin, storage });
    void outcome(page.client.put(batchOf(64)));
    page.hide();
    expect(numbersOf(page.kept[0])).toEqual([1]);
  });
});

describe("a page that was put aside", () => {
  it("goes on when it comes back: puts under their own numbers, calls and reads again", async () => {
    const page = await open([silent, { ...answering, call: async () => [] as never }]);
    const put = page.client.put(batchOf(64));
    const call = page.client.call("listStreams", {});
    await turns();
    page.hide();
    await turns();
    expect(page.threads).toHaveLength(1);
    page.show();
    expect((await put)?.byteLength).toBe(33);
    expect(await call).toEqual([]);
    expect(page.puts.filter(({ thread }) => thread === 1).map(({ number }) => number)).toContain(1);
    expect(page.client.closed).toBe(false);
    await vi.waitFor(() => expect(Object.keys(page.storage)).toEqual([]));
  });

  it("leaves nothing to others of what it sends itself, whatever comes of it", async () => {
    const full = new StoreFullError("full", { retryable: true });
    const page = await open([silent, { put: () => Promise.reject(full) }]);
    const put = outcome(page.client.put(batchOf(64)));
    page.hide();
    expect(Object.keys(page.storage)).toHaveLength(1);
    page.show();
    expect(await put).toBeInstanceOf(StoreFullError);
    await turns();
    expect(Object.keys(page.storage)).toEqual([]);
  });

  it("sends again what came too early, however long it was away", async () => {
    let early = true;
    const page = await open([
      silent,
      {
        put: async (batch) => {
          const gap = early;
          early = false;
          if (gap) throw new BatchGapError("wait", { argument: "batchNumber", value: 1 });
          return new ArrayBuffer(32 + numberOf(batch));
        },
      },
    ]);
    const put = outcome(page.client.put(batchOf(64)));
    await turns();
    page.hide();
    await page.clock.advance(3_600_000);
    page.show();
    for (let i = 0; i < 5; i++) {
      await turns();
      await page.clock.advance(100);
    }
    expect(await put).toBe("resolved");
  });

  it("ends its worker also when localStorage is not to be had any more", async () => {
    const origin = newOrigin();
    const storage = Object.assign(Object.create(origin.storage), {
      removeItem: () => {
        throw new Error("SecurityError");
      },
    });
    const page = await open([silent, "never opens"], { ...origin, storage });
    void outcome(page.client.put(batchOf(64)));
    for (let i = 0; i < 2; i++) {
      page.hide();
      page.show();
      await turns();
    }
    page.hide();
    expect(page.threads.map(({ terminated }) => terminated)).toEqual([true, true, true]);
    expect(page.kept.map(numbersOf)).toEqual([[1], [1], [1]]);
  });

  it("may be put aside again and again, also while it starts", async () => {
    const page = await open([silent, "never opens", "never opens", answering]);
    const put = page.client.put(batchOf(64));
    for (let i = 0; i < 3; i++) {
      page.hide();
      page.hide();
      page.show();
      await turns();
    }
    expect((await put)?.byteLength).toBe(33);
    expect(page.threads.map(({ terminated }) => terminated)).toEqual([true, true, true, false]);
  });
});
