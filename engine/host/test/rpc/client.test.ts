import { afterEach, describe, expect, it } from "vitest";
import {
  BackpressureError,
  DeadlineError,
  EngineClosedError,
  EngineFailedError,
  EngineInUseError,
  IndeterminateError,
  InternalFailureError,
  RequestTooLargeError,
  ResourceNotFoundError,
  ThreadCrashError,
  VersionMismatchError,
  WasmLoadError,
  WorkerLoadError,
} from "../../src/errors/index.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { connect } from "../../src/rpc/connect.ts";
import { localThread } from "../../src/rpc/local-thread.ts";
import type { HelloAnswer } from "../../src/rpc/messages.ts";
import type { EngineThread } from "../../src/rpc/thread.ts";
import { BUILD_ID, PROTOCOL, VERSION } from "../../src/rpc/version.ts";
import type { EngineService, ReadRequest } from "../../src/service/engine-service.ts";
import { turns } from "../support/turns.ts";
import {
  batchOf,
  breakable,
  engineDouble,
  never,
  OPTIONS,
  type Opened,
  openDouble,
  WASM,
} from "./double.ts";

const READ: ReadRequest = {
  streamUid: 1,
  cursors: [{ shardIndex: 0, nextIndex: 0 }],
  recordsMax: 10,
  bytesMax: 1000,
  waitMs: 20_000,
};

/** Everything opened by a test is closed after it, so that its ports do not hold the process. */
const opened: Opened[] = [];
async function open(parts: Partial<EngineService>, limits = {}): Promise<Opened> {
  const one = await openDouble(parts, { limits });
  opened.push(one);
  return one;
}

afterEach(() => {
  for (const { thread } of opened.splice(0)) thread.fail("the test is over");
});

/** The promise's outcome, listened to from now on. */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "resolved",
    (error: unknown) => error,
  );
}

/** A thread that only says what it is told to. */
function scriptedThread(answers: readonly HelloAnswer[]): EngineThread & { terminated: boolean } {
  let listener: ((data: unknown) => void) | undefined;
  const thread = {
    url: "https://example.test/worker.js",
    terminated: false,
    greet: () => {
      listener?.({ webpack: "noise of somebody else's" });
      for (const answer of answers) listener?.(answer);
    },
    onMessage: (heard: (data: unknown) => void) => {
      listener = heard;
    },
    onFailure: () => undefined,
    terminate: () => {
      thread.terminated = true;
    },
  };
  return thread;
}

const loaded: HelloAnswer = {
  millrace: "loaded",
  protocol: PROTOCOL,
  version: VERSION,
  buildId: BUILD_ID,
};

describe("the handshake", () => {
  it("ends with a WorkerLoadError when the worker stays silent", async () => {
    const clock = new VirtualClock(0);
    const thread = scriptedThread([]);
    const failure = outcome(connect(thread, WASM, { ...OPTIONS, clock }));
    await clock.advance(10_000);
    expect(await failure).toBeInstanceOf(WorkerLoadError);
    expect(await failure).toMatchObject({ value: "https://example.test/worker.js" });
    expect(String(await failure)).toMatch(/silent for 10000 ms.*docs\/loading\.md/s);
    expect(thread.terminated).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });

  it("goes on with a worker that speaks while it is looked into", async () => {
    const clock = new VirtualClock(0);
    const thread = scriptedThread([]);
    let speak: (answer: HelloAnswer) => void = () => undefined;
    const slow: EngineThread = {
      ...thread,
      onMessage: (listener) => {
        speak = listener;
      },
      diagnose: () => never,
    };
    const client = connect(slow, WASM, { ...OPTIONS, clock });
    await clock.advance(10_000);
    speak(loaded);
    speak({ ...loaded, millrace: "ready" });
    expect(await client).toHaveProperty("close");
    expect(thread.terminated).toBe(false);
  });

  it("ends with a DeadlineError when the worker loads but the engine does not open", async () => {
    const clock = new VirtualClock(0);
    const thread = scriptedThread([loaded]);
    const failure = outcome(connect(thread, WASM, { ...OPTIONS, clock }));
    await clock.advance(10_000);
    await clock.advance(120_000);
    expect(await failure).toBeInstanceOf(DeadlineError);
    expect(thread.terminated).toBe(true);
  });

  it.each([
    ["version", { version: "0.0.9" }],
    ["build", { buildId: "another" }],
    ["protocol", { protocol: 2 }],
  ])("ends with a VersionMismatchError when the worker is of another %s", async (_what, skew) => {
    const thread = scriptedThread([{ ...loaded, ...skew }]);
    const failure = await outcome(connect(thread, WASM, OPTIONS));
    expect(failure).toBeInstanceOf(VersionMismatchError);
    expect(String(failure)).toContain(String(Object.values(skew)[0]));
    expect(thread.terminated).toBe(true);
  });

  it("ends with a VersionMismatchError when a page is of another build, and opens no engine", async () => {
    let opens = 0;
    const thread = localThread({
      platform: virtualPlatform(),
      loadCore: () => never,
      createEngine: () => {
        opens++;
        return never;
      },
    });
    const stale: EngineThread = {
      ...thread,
      greet: (hello) => thread.greet({ ...hello, buildId: "yesterday" }),
    };
    expect(await outcome(connect(stale, WASM, OPTIONS))).toBeInstanceOf(VersionMismatchError);
    expect(opens).toBe(0);
  });

  it("ends with a WorkerLoadError when the worker's script fails", async () => {
    const thread = breakable(scriptedThread([]));
    const failure = outcome(connect(thread, WASM, OPTIONS));
    thread.fail("SyntaxError: Unexpected token");
    expect(await failure).toBeInstanceOf(WorkerLoadError);
    expect(String(await failure)).toMatch(/worker\.js: SyntaxError: Unexpected token.*loading\.md/);
    expect(thread.terminated).toBe(true);
  });

  it("says what was found out about a worker that fails without a reason", async () => {
    const found = { url: "https://example.test/assets/worker.js", why: "the server answers 404" };
    const thread = breakable(scriptedThread([]));
    const diagnosed = { ...thread, diagnose: () => Promise.resolve(found) };
    const failure = outcome(connect(diagnosed, WASM, OPTIONS));
    thread.fail(undefined);
    expect(await failure).toBeInstanceOf(WorkerLoadError);
    expect(await failure).toMatchObject({ argument: "worker", value: found.url });
    expect(String(await failure)).toMatch(
      /assets\/worker\.js: the server answers 404.*loading\.md/,
    );
  });

  it.each([
    ["fails", () => Promise.reject(new Error("it does not load either"))],
    ["does not end", () => never],
  ])("does not wait for a diagnosis that %s", async (_what, diagnose) => {
    const clock = new VirtualClock(0);
    const thread = breakable(scriptedThread([]));
    const failure = outcome(connect({ ...thread, diagnose }, WASM, { ...OPTIONS, clock }));
    thread.fail(undefined);
    await turns();
    await clock.advance(6000);
    expect(await failure).toBeInstanceOf(WorkerLoadError);
    expect(String(await failure)).toMatch(/the browser gives no reason/);
    expect(clock.pendingTimers).toBe(0);
  });

  it("ends with the signal's reason when it is aborted", async () => {
    const controller = new AbortController();
    const thread = scriptedThread([loaded]);
    const failure = outcome(connect(thread, WASM, { ...OPTIONS, signal: controller.signal }));
    controller.abort(new Error("never mind"));
    expect(await failure).toMatchObject({ message: "never mind" });
    expect(thread.terminated).toBe(true);
  });

  it.each([
    ["that another tab holds the engine", new EngineInUseError("held")],
    ["that the core does not load", new WasmLoadError("no core")],
  ])("passes on what opening the engine throws: %s", async (_what, error) => {
    const thread = localThread({
      platform: virtualPlatform(),
      loadCore: async () => new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)),
      createEngine: () => Promise.reject(error),
    });
    const failure = await outcome(connect(thread, WASM, OPTIONS));
    expect(failure).toBeInstanceOf(error.constructor);
    expect(failure).toMatchObject({ message: error.message });
  });

  it("closes an engine that finished opening after the page gave up", async () => {
    let finish: (engine: EngineService) => void = () => undefined;
    let closed = 0;
    const thread = localThread({
      platform: virtualPlatform(),
      loadCore: async () => new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)),
      createEngine: () =>
        new Promise((resolve) => {
          finish = resolve;
        }),
    });
    const controller = new AbortController();
    const failure = outcome(connect(thread, WASM, { ...OPTIONS, signal: controller.signal }));
    await turns();
    controller.abort();
    await failure;
    finish(engineDouble({ close: async () => void closed++ }));
    await turns();
    expect(closed).toBe(1);
  });
});

describe("control calls", () => {
  it("answer with the value, or throw the operation's own error", async () => {
    const { client } = await open({
      call: async (operation) => {
        if (operation === "listStreams") return [] as never;
        throw ResourceNotFoundError.stream("gone");
      },
    });
    expect(await client.call("listStreams", {})).toEqual([]);
    const failure = await outcome(client.call("describeStream", { name: "gone" }));
    expect(failure).toBeInstanceOf(ResourceNotFoundError);
    expect(failure).toMatchObject({ code: "ResourceNotFoundException", value: "gone" });
  });

  it("make a defect of the engine an InternalFailureError", async () => {
    const { client } = await open({ call: () => Promise.reject(new TypeError("x is undefined")) });
    const failure = await outcome(client.call("listStreams", {}));
    expect(failure).toBeInstanceOf(InternalFailureError);
    expect(failure).toMatchObject({ cause: { name: "TypeError" } });
  });

  it("end with a DeadlineError when the engine does not answer", async () => {
    const { client, clock } = await open({});
    const failure = outcome(client.call("listStreams", {}));
    await clock.advance(30_000);
    expect(await failure).toBeInstanceOf(DeadlineError);
    expect(await failure).toMatchObject({ value: "listStreams" });
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("puts", () => {
  it("carry the producer's id and rising numbers, and give buffers back", async () => {
    const seen: { number: bigint; producer: string }[] = [];
    const { client } = await open({
      put: async (batch) => {
        const view = new DataView(batch);
        const producer = new Uint8Array(batch, 16, 16).toString();
        seen.push({ number: view.getBigUint64(32, true), producer });
        return new ArrayBuffer(32);
      },
    });
    const puts = [8192, 8192, 8192].map((byteLength) => client.put(batchOf(byteLength)));
    expect((await Promise.all(puts)).map((result) => result?.byteLength)).toEqual([32, 32, 32]);
    expect(seen.map(({ number }) => number)).toEqual([1n, 2n, 3n]);
    expect(new Set(seen.map(({ producer }) => producer)).size).toBe(1);
    expect(seen[0]?.producer).not.toBe(new Uint8Array(16).toString());
    expect(client.pool.freeBytes).toBe(6 * 8192);
  });

  it("go in the order of the calls, several under way at once", async () => {
    const arrived: number[] = [];
    const { client } = await open({
      put: (batch) => {
        arrived.push(batch.byteLength);
        return never;
      },
    });
    for (const byteLength of [80, 48, 64]) void outcome(client.put(batchOf(byteLength)));
    await turns();
    expect(arrived).toEqual([80, 48, 64]);
  });

  it("wait for room in the outbox, then fail with a BackpressureError", async () => {
    const { client, clock } = await open({}, { outboxBytesMax: 1000, outboxWaitMs: 500 });
    void outcome(client.put(batchOf(900)));
    const failure = outcome(client.put(batchOf(200)));
    await clock.advance(500);
    expect(await failure).toBeInstanceOf(BackpressureError);
  });

  it("fail with a RequestTooLargeError over 12 MiB, and nothing is sent", async () => {
    const { client } = await open({ put: () => expect.unreachable() });
    const failure = await outcome(client.put(batchOf(12 * 1_048_576 + 8)));
    expect(failure).toBeInstanceOf(RequestTooLargeError);
    expect(failure).toMatchObject({ argument: "records", value: 12_582_920, limit: 12_582_912 });
  });

  it("end with an IndeterminateError when the engine does not answer, and leave room again", async () => {
    const { client, clock } = await open({}, { outboxBytesMax: 1000, outboxWaitMs: 90_000 });
    const failure = outcome(client.put(batchOf(900)));
    await clock.advance(60_000);
    expect(await failure).toBeInstanceOf(IndeterminateError);
    expect(await failure).toMatchObject({ indeterminate: true });
    const next = outcome(client.put(batchOf(900)));
    await clock.advance(60_000);
    expect(await next).toBeInstanceOf(IndeterminateError);
  });

  it("are asked for once more under their own number when the engine is not certain", async () => {
    const numbers: bigint[] = [];
    const { client } = await open({
      put: async (batch) => {
        numbers.push(new DataView(batch).getBigUint64(32, true));
        if (numbers.length === 1) throw new IndeterminateError("the store did not tell");
        return new ArrayBuffer(32);
      },
    });
    await client.put(batchOf(64));
    expect(numbers).toEqual([1n, 1n]);
  });

  it("keep the first error when asking once more tells nothing", async () => {
    let asked = 0;
    const { client } = await open({
      put: async () => {
        asked++;
        if (asked === 1) throw new IndeterminateError("first");
        throw new EngineFailedError("second");
      },
    });
    expect(await outcome(client.put(batchOf(64)))).toMatchObject({ message: "first" });
    expect(asked).toBe(2);
  });

  it("are not sent when what they come after says no", async () => {
    const { client } = await open({ put: () => expect.unreachable() });
    expect(await client.put(batchOf(64), { after: Promise.resolve(false) })).toBeUndefined();
  });
});

describe("reads", () => {
  it("are cancelled in the engine at once when they are aborted", async () => {
    let cancelled = false;
    const { client } = await open({
      read: (_request, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            cancelled = true;
            reject(signal.reason);
          });
        }),
    });
    const controller = new AbortController();
    const failure = outcome(client.read(READ, controller.signal));
    await turns();
    controller.abort("left");
    expect(await failure).toBe("left");
    await turns();
    expect(cancelled).toBe(true);
  });

  it("end with a DeadlineError when the engine does not answer", async () => {
    const { client, clock } = await open({});
    const failure = outcome(client.read(READ));
    await clock.advance(READ.waitMs + 30_000);
    expect(await failure).toBeInstanceOf(DeadlineError);
  });
});

describe("a crash of the worker", () => {
  it("rejects all that is under way, and puts as indeterminate if they were sent", async () => {
    const { client, thread } = await open({}, { outboxBytesMax: 1000 });
    const call = outcome(client.call("listStreams", {}));
    const read = outcome(client.read(READ));
    const sent = outcome(client.put(batchOf(900)));
    const waiting = outcome(client.put(batchOf(900)));
    thread.fail("out of memory");
    for (const failure of [call, read, sent, waiting]) {
      expect(await failure).toBeInstanceOf(ThreadCrashError);
      expect(String(await failure)).toContain("out of memory");
    }
    expect(await sent).toMatchObject({ indeterminate: true });
    expect(await waiting).toMatchObject({ indeterminate: false });
    expect(await read).toMatchObject({ indeterminate: false });
    expect(client.closed).toBe(true);
    expect(thread.terminated).toBe(true);
  });

  it("fails later calls too, and closing is quiet", async () => {
    const { client, thread } = await open({});
    thread.fail(undefined);
    expect(await outcome(client.call("listStreams", {}))).toBeInstanceOf(ThreadCrashError);
    expect(await outcome(client.put(batchOf(64)))).toBeInstanceOf(ThreadCrashError);
    await client.close();
  });
});

describe("closing", () => {
  it("lets puts settle, closes the engine, and fails everything afterwards", async () => {
    const order: string[] = [];
    let answer: () => void = () => undefined;
    const { client, thread } = await open({
      put: () =>
        new Promise((resolve) => {
          answer = () => {
            order.push("put");
            resolve(new ArrayBuffer(32));
          };
        }),
      close: async () => {
        order.push("close");
      },
    });
    const put = outcome(client.put(batchOf(64)));
    const read = outcome(client.read(READ));
    await turns();
    const closing = client.close();
    expect(await read).toBeInstanceOf(EngineClosedError);
    expect(await outcome(client.put(batchOf(64)))).toBeInstanceOf(EngineClosedError);
    answer();
    await closing;
    expect(await put).toBe("resolved");
    expect(order.slice(0, 2)).toEqual(["put", "close"]);
    expect(thread.terminated).toBe(true);
    expect(await outcome(client.call("listStreams", {}))).toBeInstanceOf(EngineClosedError);
    expect(await outcome(client.read(READ))).toBeInstanceOf(EngineClosedError);
    await client.close();
  });

  it("ends the thread even when the engine does not answer, with puts left indeterminate", async () => {
    const { client, thread, clock } = await open({ close: () => never }, { closeMs: 2000 });
    const put = outcome(client.put(batchOf(64)));
    const closing = outcome(client.close());
    await clock.advance(2000);
    expect(await put).toBeInstanceOf(EngineClosedError);
    expect(await put).toMatchObject({ indeterminate: true });
    expect(await closing).toBeInstanceOf(EngineClosedError);
    expect(thread.terminated).toBe(true);
    expect(clock.pendingTimers).toBe(0);
  });
});
