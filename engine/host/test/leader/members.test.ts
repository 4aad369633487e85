/** Members beside the plain change of leader: frozen leaders, builds of unlike age, engines that do not open. */
import { describe, expect, it } from "vitest";
import {
  EngineFailedError,
  StoreFailedError,
  UnsupportedFormatError,
} from "../../src/errors/index.ts";
import { isNewer, OWN_CODE } from "../../src/leader/code-version.ts";
import type { Platform } from "../../src/platform/platform.ts";
import type { EngineService, StreamDescription } from "../../src/service/engine-service.ts";
import { readSlice } from "../support/batches.ts";
import { failureOf } from "../support/failures.ts";
import { type Tab, Tabs } from "../support/members.ts";

const OLDER = { ...OWN_CODE, version: "0.0.9" };
const never = new AbortController().signal;

type Opening = (platform: Platform) => Promise<EngineService>;

/** An opening that fails as often as there are errors, and works afterwards. */
function failing(errors: Error[]): (open: Opening) => Opening {
  return (open) => (platform) => {
    const error = errors.shift();
    return error === undefined ? open(platform) : Promise.reject(error);
  };
}

function liveRead(tab: Tab, { uid }: StreamDescription, nextIndex: number): Promise<ArrayBuffer> {
  const cursors = [{ shardIndex: 0, nextIndex }];
  return tab.service.read(
    { streamUid: uid, cursors, recordsMax: 10, bytesMax: 1000, waitMs: 20_000 },
    never,
  );
}

describe("a leader that falls silent", () => {
  it("is deposed after three seconds, and what waited goes to the next one", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    const stream = await tabs.createStream(second);
    first.context.freeze();
    const put = second.put(stream, "x");
    await tabs.pass(2500);
    expect((await second.status()).role).toBe("follower");
    await tabs.pass(2000);
    expect((await second.status()).role).toBe("leader");
    await tabs.until(put);
    const zombies = first.put(stream, "y");
    first.context.thaw();
    await tabs.until(zombies);
    expect(await tabs.readAll(second, stream)).toEqual(["x", "y"]);
    expect(await first.status()).toMatchObject({ role: "follower", transport: "port" });
  });

  it("is left alone by a context that was frozen itself", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    for (let i = 0; i < 20; i += 1) {
      second.context.freeze();
      await tabs.pass(5000);
      second.context.thaw();
      await tabs.pass(100);
    }
    expect((await first.status()).role).toBe("leader");
    expect((await second.status()).role).toBe("follower");
  });

  it("is left alone while it opens a large log", async () => {
    const tabs = new Tabs();
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      go = resolve;
    });
    const opening = tabs.begin({ wrap: (open) => (platform) => gate.then(() => open(platform)) });
    const waiting = tabs.begin();
    await tabs.pass(20_000);
    go();
    const [first, second] = await tabs.until(Promise.all([opening, waiting]));
    expect((await first.status()).role).toBe("leader");
    expect((await second.status()).role).toBe("follower");
  });

  it("is robbed of its lock while it opens for ever", async () => {
    const tabs = new Tabs();
    const never = new Promise<never>(() => undefined);
    void tabs.begin({ wrap: () => () => never }).catch(() => undefined);
    const second = await tabs.open();
    expect((await second.status()).role).toBe("leader");
  });
});

describe("reads, calls and events", () => {
  it("a read that waits goes on waiting with the next leader", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    const third = await tabs.open();
    const stream = await tabs.createStream(first);
    const read = liveRead(third, stream, 0);
    await tabs.pass(100);
    first.context.kill();
    await tabs.pass(500);
    await tabs.until(second.put(stream, "x"));
    const [part] = readSlice(await tabs.until(read));
    expect(part?.records).toHaveLength(1);
  });

  it("a read that is cancelled ends at once, with a leader and without", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    const stream = await tabs.createStream(first);
    for (const dies of [false, true]) {
      if (dies) first.context.freeze();
      const controller = new AbortController();
      const read = second.service.read(
        {
          ...{ streamUid: stream.uid, cursors: [{ shardIndex: 0, nextIndex: 0 }] },
          ...{ recordsMax: 10, bytesMax: 1000, waitMs: 20_000 },
        },
        controller.signal,
      );
      await tabs.pass(100);
      controller.abort(new Error("enough"));
      await expect(read).rejects.toThrow("enough");
    }
  });

  it("a call that is under way at a change of leader takes effect once", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    const calls = ["a", "b", "c"].map((name) => tabs.createStream(second, name));
    first.context.kill();
    const streams = await tabs.until(Promise.all(calls));
    expect(streams.map(({ name }) => name)).toEqual(["a", "b", "c"]);
    expect(await tabs.until(second.service.call("listStreams", {}))).toHaveLength(3);
  });

  it("errors that every leader gives reach the caller", async () => {
    const tabs = new Tabs();
    await tabs.open();
    const second = await tabs.open();
    const error = await failureOf(
      tabs.until(second.service.call("describeStream", { name: "none" })),
    );
    expect(error).toMatchObject({ code: "ResourceNotFoundException" });
  });

  it("a change of leader is an event, for the one that leads and for the others", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    const third = await tabs.open();
    const waits = [second, third].map((tab) =>
      tab.service.call("events", { after: null, waitMs: 10_000 }),
    );
    await tabs.pass(100);
    first.context.kill();
    const [here, there] = await tabs.until(Promise.all(waits));
    const { epoch } = await second.status();
    const atMs = expect.any(Number);
    expect(here?.events).toContainEqual({ kind: "leader-changed", atMs, epoch, here: true });
    expect(there?.events).toContainEqual({ kind: "leader-changed", atMs, epoch, here: false });
    const after = there?.cursor ?? null;
    const more = await tabs.until(third.service.call("events", { after, waitMs: 0 }));
    expect(more.events).toEqual([]);
  });
});

describe("builds of unlike age", () => {
  it("are compared by protocol, version and format", () => {
    expect(isNewer(OWN_CODE, OLDER)).toBe(true);
    expect(isNewer(OLDER, OWN_CODE)).toBe(false);
    expect(isNewer(OWN_CODE, OWN_CODE)).toBe(false);
    expect(isNewer({ ...OLDER, version: "0.10.0" }, { ...OLDER, version: "0.9.9" })).toBe(true);
    expect(isNewer({ ...OLDER, protocol: 2 }, OWN_CODE)).toBe(true);
    expect(isNewer({ ...OWN_CODE, walFormat: 9 }, OWN_CODE)).toBe(true);
  });

  it("the older one yields to the newer one, and goes on as its follower", async () => {
    const tabs = new Tabs();
    const old = await tabs.open({ code: OLDER });
    const stream = await tabs.createStream(old);
    await tabs.until(old.put(stream, "a"));
    const puts = [old.put(stream, "b")];
    const young = await tabs.open();
    await tabs.pass(1000);
    expect((await young.status()).role).toBe("leader");
    expect((await old.status()).role).toBe("follower");
    puts.push(old.put(stream, "c"));
    await tabs.until(Promise.all(puts));
    expect(await tabs.readAll(young, stream)).toEqual(["a", "b", "c"]);
  });

  it("one that is too old for the log works through a newer one, and never leads", async () => {
    const tabs = new Tabs();
    const young = await tabs.open();
    const stream = await tabs.createStream(young);
    const tooOld = new UnsupportedFormatError("a newer build wrote this log");
    const old = await tabs.open({ code: OLDER, wrap: () => () => Promise.reject(tooOld) });
    const third = await tabs.open();
    await tabs.until(old.put(stream, "a"));
    young.context.kill();
    await tabs.until(old.put(stream, "b"));
    expect(await old.status()).toMatchObject({ role: "client", why: tooOld.message });
    expect((await third.status()).role).toBe("leader");
    third.context.kill();
    const lost = await failureOf(tabs.until(old.put(stream, "c")));
    // It was sent to the third one, which died with it.
    expect(lost).toMatchObject({ code: "IndeterminateException", cause: tooOld });
  });

  it("one that is too old and alone does not open", async () => {
    const tabs = new Tabs();
    const tooOld = new UnsupportedFormatError("a newer build wrote this log");
    await expect(tabs.open({ wrap: () => () => Promise.reject(tooOld) })).rejects.toBe(tooOld);
    expect((await (await tabs.open()).status()).role).toBe("leader");
  });
});

describe("an engine that does not open", () => {
  it("fails the first opening with the reason, and holds nothing", async () => {
    const tabs = new Tabs();
    const error = new StoreFailedError("no");
    await expect(tabs.open({ wrap: failing([error]) })).rejects.toBe(error);
    expect((await (await tabs.open()).status()).role).toBe("leader");
  });

  it("fails what waits after three attempts, and works again once it opens", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const stream = await tabs.createStream(first);
    const errors = Array.from({ length: 5 }, () => new StoreFailedError("no"));
    const second = await tabs.open({ wrap: failing(errors) });
    first.context.kill();
    const failed = await failureOf(tabs.until(second.put(stream, "a")));
    const cause = { code: "StoreFailedException" };
    expect(failed).toMatchObject({ code: "IndeterminateException", cause });
    expect(await failureOf(tabs.until(second.put(stream, "a")))).toMatchObject(cause);
    await tabs.pass(5000);
    await tabs.until(second.put(stream, "b"));
    expect(await tabs.readAll(second, stream)).toEqual(["b"]);
  });

  it("whose store is gone tells of it unasked, whatever became of the witness", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    await tabs.createStream(first);
    const events = second.service.call("events", { after: null, waitMs: 20_000 });
    const disk = tabs.platform.stores.disk("test");
    for (const number of disk.frameNumbers()) disk.overwriteFrame(number, undefined);
    tabs.platform.witnesses.lose("test");
    tabs.platform.stores.opened.at(-1)?.lose("site data was cleared");
    await tabs.pass(1000);
    expect(await second.service.call("dataLoss", {})).toMatchObject([{ kind: "log" }]);
    const told = (await tabs.until(events)).events;
    expect(told).toContainEqual(expect.objectContaining({ kind: "data-loss" }));
    expect((await first.status()).role).toBe("leader");
    await tabs.until(second.put(await tabs.createStream(second), "a"));
  });

  it("whose store is gone, and goes once more while it recovers, tells of it all the same", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const stream = await tabs.createStream(first);
    await tabs.until(first.put(stream, "a"));
    const store = tabs.platform.stores.opened.at(-1);
    const disk = tabs.platform.stores.disk("test");
    if (store === undefined) throw new Error("no store was opened");
    for (const number of disk.frameNumbers()) disk.overwriteFrame(number, undefined);
    tabs.platform.witnesses.lose("test");
    const add = store.appendFrame.bind(store);
    // The first thing that the next life writes is its fence.
    store.appendFrame = (...given) => {
      store.appendFrame = add;
      store.lose("the bucket was deleted");
      return add(...given);
    };
    store.lose("site data was cleared");
    await tabs.pass(2000);
    expect(await first.service.call("dataLoss", {})).toMatchObject([{ kind: "log" }]);
    expect((await first.status()).role).toBe("leader");
  });

  it("that ends while nobody asks it for anything is followed by another one within a second", async () => {
    const tabs = new Tabs();
    const failure = new EngineFailedError("the store was taken away");
    let broken = false;
    const first = await tabs.open({
      wrap: (open) => async (platform) => {
        const engine = await open(platform);
        return {
          call: (...given) => (broken ? Promise.reject(failure) : engine.call(...given)),
          put: (...given) => engine.put(...given),
          commitEpoch: (...given) => engine.commitEpoch(...given),
          read: (...given) => engine.read(...given),
          close: () => engine.close(),
        };
      },
    });
    const second = await tabs.open();
    broken = true;
    await tabs.pass(1000);
    expect((await second.status()).role).toBe("leader");
    expect((await first.status()).role).toBe("follower");
  });

  it("that fails later is opened anew, and nobody learns of it", async () => {
    const tabs = new Tabs();
    let broken = false;
    const first = await tabs.open({
      wrap: (open) => async (platform) => {
        const engine = await open(platform);
        return {
          call: (...given) => engine.call(...given),
          read: (...given) => engine.read(...given),
          commitEpoch: (...given) => engine.commitEpoch(...given),
          close: () => engine.close(),
          put: (...given) => {
            if (!broken) return engine.put(...given);
            broken = false;
            return Promise.reject(new EngineFailedError("the store came back older"));
          },
        };
      },
    });
    const stream = await tabs.createStream(first);
    broken = true;
    await tabs.until(first.put(stream, "a"));
    const second = await tabs.open();
    broken = true;
    await tabs.until(second.put(stream, "b"));
    expect(await tabs.readAll(second, stream)).toEqual(["a", "b"]);
  });
});

describe("brokers", () => {
  it("that know no leader are gone round", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    // The page of the second one has a broker of another build, to which no leader ever came.
    tabs.startBroker();
    const second = await tabs.open();
    expect(await second.status()).toMatchObject({ role: "follower", transport: "broadcast" });
    const stream = await tabs.createStream(second);
    await tabs.until(Promise.all([first.put(stream, "a"), second.put(stream, "b")]));
    first.context.kill();
    await tabs.until(second.put(stream, "c"));
    expect(await tabs.readAll(second, stream)).toHaveLength(3);
  });

  it("that crash leave connections alone", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    tabs.platform.network.stopBroker();
    const stream = await tabs.createStream(second);
    await tabs.until(second.put(stream, "a"));
    first.context.kill();
    await tabs.until(second.put(stream, "b"));
    expect(await tabs.readAll(second, stream)).toEqual(["a", "b"]);
  });
});

describe("a context that closes", () => {
  it("fails what is under way at another leader as indeterminate", async () => {
    const tabs = new Tabs();
    await tabs.open();
    const second = await tabs.open();
    const stream = await tabs.createStream(second);
    const put = failureOf(second.put(stream, "a"));
    await tabs.until(second.service.close());
    expect(await put).toMatchObject({ code: "EngineClosedException", indeterminate: true });
    const late = await failureOf(second.put(stream, "b"));
    expect(late).toMatchObject({ code: "EngineClosedException" });
  });

  it("is forgotten by the leader, as one that dies is", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    const third = await tabs.open();
    expect((await first.status()).members).toBe(3);
    await tabs.until(second.service.close());
    await tabs.pass(100);
    expect((await first.status()).members).toBe(2);
    third.context.kill();
    await tabs.pass(100);
    expect((await first.status()).members).toBe(1);
  });
});
