/** Keys that are destroyed on purpose, and keys that vanished. */
import { describe, expect, it } from "vitest";
import {
  InvalidArgumentError,
  KeyLostError,
  KmsInvalidStateError,
} from "../../src/errors/index.ts";
import { writerLockName } from "../../src/platform/locks.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { openEngine } from "../../src/service/engine.ts";
import {
  encrypted,
  never,
  numbers,
  range,
  start,
  stop,
  storeOf,
} from "../support/encrypted-engines.ts";
import { newCore, someRecords, TestEngine } from "../support/engines.ts";
import { diskContains, marked } from "../support/secrets.ts";

describe("shredding", () => {
  it("ends a stream's records at once and for ever, and its neighbours' not", async () => {
    const platform = virtualPlatform();
    const { engine, stream } = await encrypted(platform);
    const orders = await engine.createStream("orders");
    await start(engine, "alias/shop", "orders");
    await Promise.all([engine.put(stream, someRecords(20)), engine.put(orders, someRecords(20))]);
    await engine.service.call("shredStream", { name: "clicks" });
    await expect(engine.readAll(stream)).rejects.toBeInstanceOf(KeyLostError);
    await expect(engine.put(stream, someRecords(1))).rejects.toBeInstanceOf(KeyLostError);
    expect(await numbers(engine, orders)).toEqual(range(0, 20));
    await engine.put(orders, someRecords(5, 100, 20));
    expect([...platform.vaults.keys("test").keys()]).toEqual([2]);
    const { encryption } = await engine.service.call("describeStream", { name: "clicks" });
    expect(encryption).toMatchObject({ keyName: "alias/shop", shredded: true });
    expect(await engine.service.call("dataLoss", {})).toEqual([]);
    // With another key it takes records again, and nothing of before comes back.
    await start(engine);
    await engine.put(stream, someRecords(4, 100, 90));
    expect(await numbers(engine, stream)).toEqual(range(90, 94));
    await engine.service.close();
    const again = await TestEngine.open(platform.restart());
    expect(await numbers(again, stream)).toEqual(range(90, 94));
    expect(await numbers(again, orders)).toEqual(range(0, 25));
    expect(await again.service.call("dataLoss", {})).toEqual([]);
    await again.service.close();
  });

  it("is not undone by a put or a read that was under way", async () => {
    const { engine, stream } = await encrypted();
    await engine.put(stream, someRecords(10));
    const cursors = [{ shardIndex: 0, nextIndex: 1_000_000 }];
    const request = { streamUid: stream.uid, cursors, recordsMax: 10, bytesMax: 1000 };
    const waiting = engine.service.read({ ...request, waitMs: 60_000 }, never);
    const settled = Promise.allSettled([waiting, engine.put(stream, someRecords(10, 100, 10))]);
    await engine.service.call("shredStream", { name: "clicks" });
    const [read] = await settled;
    expect(read).toMatchObject({ status: "rejected", reason: expect.any(KeyLostError) });
    await start(engine);
    expect(await numbers(engine, stream)).toEqual([]);
    await engine.service.close();
  });

  it("of a master key ends all streams under it, and frees its alias", async () => {
    const { engine, stream, keyId } = await encrypted();
    const orders = await engine.createStream("orders");
    await start(engine, "alias/aws/kinesis", "orders");
    await engine.put(stream, someRecords(3));
    await engine.put(orders, someRecords(3));
    expect(await engine.service.call("keysDestroy", { keyId })).toEqual({ streams: 1 });
    await expect(engine.readAll(stream)).rejects.toBeInstanceOf(KeyLostError);
    expect(await numbers(engine, orders)).toEqual(range(0, 3));
    await expect(start(engine, keyId)).rejects.toBeInstanceOf(KmsInvalidStateError);
    await expect(
      engine.service.call("keysSetEnabled", { keyId, enabled: true }),
    ).rejects.toBeInstanceOf(KmsInvalidStateError);
    const next = await engine.service.call("keysCreate", { alias: "alias/shop", policy: null });
    expect(next.keyId).not.toBe(keyId);
    await start(engine);
    await engine.put(stream, someRecords(3, 100, 50));
    expect(await numbers(engine, stream)).toEqual(range(50, 53));
    await engine.service.close();
  });

  it("is finished by the next leader when this one died before the vault was told", async () => {
    const platform = virtualPlatform();
    const { engine, stream } = await encrypted(platform);
    await engine.put(stream, someRecords(10));
    const [[dataKeyId, secret] = [0, 0]] = platform.vaults.keys("test");
    await engine.service.call("shredStream", { name: "clicks" });
    await engine.service.close();
    platform.vaults.keys("test").set(dataKeyId, secret);
    const again = await TestEngine.open(platform.restart());
    expect(platform.vaults.has("test")).toBe(false);
    await expect(again.readAll(stream)).rejects.toBeInstanceOf(KeyLostError);
    await again.service.close();
  });

  it("needs a key to destroy, and a stream", async () => {
    const { engine } = await encrypted();
    await engine.createStream("plain");
    await expect(engine.service.call("shredStream", { name: "plain" })).rejects.toBeInstanceOf(
      InvalidArgumentError,
    );
    await expect(engine.service.call("shredStream", { name: "none" })).rejects.toMatchObject({
      code: "ResourceNotFoundException",
    });
    await engine.service.close();
  });

  it("that is made again under the next leader is over already", async () => {
    const { engine, stream } = await encrypted();
    await engine.put(stream, someRecords(3));
    await stop(engine);
    await engine.service.call("shredStream", { name: "clicks" });
    await engine.service.call("shredStream", { name: "clicks" }, true);
    await expect(engine.service.call("shredStream", { name: "clicks" })).rejects.toBeInstanceOf(
      InvalidArgumentError,
    );
    await engine.createStream("plain");
    await expect(
      engine.service.call("shredStream", { name: "plain" }, true),
    ).rejects.toBeInstanceOf(InvalidArgumentError);
    await engine.service.close();
  });

  it("of many streams, one after the other, ends no read of another one", async () => {
    const { engine } = await encrypted();
    const names = range(0, 10).map((i) => `shredded-${i}`);
    for (const name of names) {
      await engine.createStream(name);
      await start(engine, "alias/shop", name);
    }
    const orders = await engine.createStream("orders");
    const cursors = [{ shardIndex: 0, nextIndex: 0 }];
    const request = { streamUid: orders.uid, cursors, recordsMax: 10, bytesMax: 1_000_000 };
    const waiting = engine.service.read({ ...request, waitMs: 60_000 }, never);
    for (const name of names) await engine.service.call("shredStream", { name });
    await engine.put(orders, someRecords(3));
    expect((await waiting).byteLength).toBeGreaterThan(300);
    await engine.service.close();
  });

  it("hides what an engine in memory holds, too", async () => {
    const platform = virtualPlatform({ recoverable: false });
    const { engine, stream } = await encrypted(platform, { storage: "memory" });
    await engine.put(stream, someRecords(10));
    await engine.service.call("shredStream", { name: "clicks" });
    await expect(engine.readAll(stream)).rejects.toBeInstanceOf(KeyLostError);
    await start(engine);
    await engine.put(stream, someRecords(3, 100, 50));
    expect(await numbers(engine, stream)).toEqual(range(50, 53));
    await engine.service.close();
  });
});

describe("the vault of an engine", () => {
  async function closings(failing: "opening" | "closing"): Promise<string[]> {
    const platform = virtualPlatform();
    const closed: string[] = [];
    const surroundings = {
      ...platform,
      vaults: {
        open: async (name: string) => {
          const vault = await platform.vaults.open(name);
          vault.close = async () => void closed.push("vault");
          return vault;
        },
      },
      stores: {
        open: async (name: string) => {
          const store = await platform.stores.open(name);
          store.close = async () => {
            closed.push("store");
            if (failing === "closing") throw new Error("the store does not close");
          };
          return store;
        },
      },
    };
    const makeCore = async () => {
      if (failing === "opening") throw new Error("no core");
      return await newCore();
    };
    const opening = openEngine(surroundings, makeCore, {
      ...{ name: "test", storage: "indexeddb", quotas: "unlimited" },
      memoryBudgetBytes: 64 * 1024 * 1024,
    });
    await expect(opening.then((service) => service.close())).rejects.toThrow();
    // The lock is free again.
    expect(await platform.locks.tryAcquire(writerLockName("test"))).toBeDefined();
    return closed;
  }

  it("is closed when the engine cannot be opened, and when its store cannot be closed", async () => {
    expect(await closings("opening")).toEqual(["store", "vault"]);
    expect(await closings("closing")).toEqual(["store", "vault"]);
  });
});

describe("a key that vanished", () => {
  it("is an error of every put and read, never plain text, and a reported loss", async () => {
    const platform = virtualPlatform();
    const { engine, stream } = await encrypted(platform);
    const plain = await engine.createStream("plain");
    await engine.put(stream, someRecords(10));
    await engine.put(plain, someRecords(10));
    await engine.service.close();
    platform.vaults.keys("test").clear();
    const again = await TestEngine.open(platform.restart());
    await expect(again.readAll(stream)).rejects.toBeInstanceOf(KeyLostError);
    await expect(again.put(stream, marked("a secret", 1))).rejects.toBeInstanceOf(KeyLostError);
    expect(await diskContains(storeOf(platform), "a secret")).toBe(false);
    expect(await numbers(again, plain)).toEqual(range(0, 10));
    expect(await again.service.call("dataLoss", {})).toMatchObject([
      { kind: "key", recordCount: 10 },
    ]);
    // The master key is there, and gives it another data key.
    await start(again);
    await again.put(stream, someRecords(3, 100, 50));
    expect(await numbers(again, stream)).toEqual(range(50, 53));
    await again.service.call("deleteStream", { name: "clicks" });
    await again.service.close();
  });
});
