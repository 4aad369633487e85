/** Opening engines in Chromium: what goes well, and everything that can go wrong, by its typed error. */
import { assert } from "chai";
import {
  EngineClosedError,
  InvalidArgumentError,
  type Millrace,
  open,
  StorageUnavailableError,
  ThreadCrashError,
  VersionMismatchError,
  WasmLoadError,
  WorkerLoadError,
} from "millrace";
import { itNeeding } from "../features.ts";
import { closeAll, failureOf, fileHere, newName, openEngine, readTexts } from "./support.ts";

const itWithSyntaxErrors = await itNeeding("syntax errors of workers");

describe("opening an engine in a browser", () => {
  afterEach(closeAll);

  it("keeps what was acknowledged until the next opening", async () => {
    const name = newName();
    const first = await open({ name });
    const written = await first.streams.ensure("clicks", { shards: 2 });
    const puts = Array.from({ length: 50 }, (_, i) =>
      written.putRecord({ partitionKey: `${i % 7}`, data: `${i}` }),
    );
    await Promise.all(puts);
    const before = await readTexts(written);
    await first.close();
    const second = await openEngine({ name });
    const read = await second.streams.get("clicks");
    assert.sameMembers(await readTexts(read), before);
    assert.lengthOf(before, 50);
    assert.equal(read.description.shards, 2);
    assert.deepEqual(await second.dataLoss(), []);
    const report = await second.storage();
    assert.equal(report.kind, "indexeddb");
    assert.isTrue(report.durable);
    assert.isBoolean(await second.requestPersistence());
  });

  it("forgets an engine in memory when it is closed", async () => {
    const name = newName();
    const first = await open({ name, storage: "memory" });
    await first.streams.create("clicks");
    await first.close();
    const second = await openEngine({ name, storage: "memory" });
    assert.deepEqual(await second.streams.list(), []);
  });

  it("shares the engine with whoever has it open, and goes on when that one closes it", async () => {
    const name = newName();
    const first = await open({ name });
    const second = await openEngine({ name });
    await first.streams.create("clicks");
    assert.lengthOf(await second.streams.list(), 1);
    assert.equal((await first.member()).role, "leader");
    assert.equal((await second.member()).role, "follower");
    await first.close();
    assert.isTrue(first.closed);
    assert.lengthOf(await second.streams.list(), 1);
    assert.equal((await second.member()).role, "leader");
  });

  it("takes a broker by URL or from a function, and does without one that does not load", async () => {
    const url = new URL("/engine/host/src/broker.ts", location.href);
    const own = { type: "module", name: newName() } as const;
    const make = (): SharedWorker => new SharedWorker(url, own);
    for (const broker of [url, url.href, make, "/nowhere/broker.js"]) {
      const name = newName();
      const first = await openEngine({ name, broker });
      const second = await openEngine({ name, broker });
      await first.streams.create("clicks");
      assert.lengthOf(await second.streams.list(), 1);
      const { transport } = await second.member();
      assert.equal(transport, broker === "/nowhere/broker.js" ? "broadcast" : "port");
    }
  });

  it("takes a worker by URL or from a function, and a core by URL", async () => {
    const url = new URL("/engine/host/src/worker.ts", location.href);
    const wasm = "/engine/host/wasm/core.scalar.wasm";
    for (const worker of [url, url.href, url.pathname]) await openEngine({ worker, wasm });
    const make = (): Worker => new Worker(url, { type: "module" });
    const engine = await openEngine({ worker: make });
    const stream = await engine.streams.create("clicks");
    await stream.putRecord({ partitionKey: "k", data: "x" });
  });

  it("is a WorkerLoadError when the worker is not there", async () => {
    const worker = "/nowhere/worker.js";
    const failure = await failureOf(open({ name: newName(), worker }));
    assert.instanceOf(failure, WorkerLoadError);
    assert.equal(failure.value, new URL(worker, location.href).href);
    assert.include(failure.message, new URL(worker, location.href).href);
    assert.match(failure.message, /the server answers 404/);
    assert.match(failure.message, /pass `worker`/);
    assert.match(failure.message, /docs\/loading\.md$/);
  });

  it("is a WorkerLoadError when the worker is HTML", async () => {
    const worker = URL.createObjectURL(new Blob(["<!doctype html>"], { type: "text/html" }));
    const failure = await failureOf(open({ name: newName(), worker }));
    assert.instanceOf(failure, WorkerLoadError);
    assert.match(failure.message, /text\/html/);
  });

  itWithSyntaxErrors(
    "is a WorkerLoadError with the syntax error when the worker's script is cut short",
    async () => {
      const cut = new Blob(["const half = {"], { type: "text/javascript" });
      const failure = await failureOf(open({ name: newName(), worker: URL.createObjectURL(cut) }));
      assert.instanceOf(failure, WorkerLoadError);
      assert.match(failure.message, /SyntaxError: /);
    },
  );

  it("is a WorkerLoadError with the URL that a function gives to its worker", async () => {
    const worker = (): Worker => new Worker("/nowhere/worker.js", { type: "module" });
    const failure = await failureOf(open({ name: newName(), worker }));
    assert.instanceOf(failure, WorkerLoadError);
    assert.equal(failure.value, new URL("/nowhere/worker.js", location.href).href);
    assert.match(failure.message, /the server answers 404/);
  });

  it("is a WorkerLoadError when the worker is of another origin", async () => {
    const worker = "https://other.example/worker.js";
    const failure = await failureOf(open({ name: newName(), worker }));
    assert.instanceOf(failure, WorkerLoadError);
    assert.match(failure.message, /own origin/);
  });

  it("is a WorkerLoadError when the worker fails while it loads", async () => {
    const failure = await failureOf(
      open({ name: newName(), worker: fileHere("./broken-worker.ts") }),
    );
    assert.instanceOf(failure, WorkerLoadError);
    assert.match(failure.message, /broken on purpose/);
  });

  it("is a WorkerLoadError after 10 seconds when the worker stays silent", async () => {
    const failure = await failureOf(
      open({ name: newName(), worker: fileHere("./silent-worker.ts") }),
    );
    assert.instanceOf(failure, WorkerLoadError);
    assert.match(failure.message, /silent for 10000 ms/);
  }).timeout(15_000);

  it("is a VersionMismatchError when the worker is of another version", async () => {
    const failure = await failureOf(
      open({ name: newName(), worker: fileHere("./stale-worker.ts") }),
    );
    assert.instanceOf(failure, VersionMismatchError);
    assert.match(failure.message, /0\.0\.1/);
  });

  it("is a WasmLoadError when the core is not there", async () => {
    const wasm = "/nowhere/core.wasm";
    const failure = await failureOf(open({ name: newName(), wasm }));
    assert.instanceOf(failure, WasmLoadError);
    assert.equal(failure.value, new URL(wasm, location.href).href);
    assert.match(failure.message, /404/);
  });

  it("is a WasmLoadError when the core is HTML, as a server's fallback page is", async () => {
    const wasm = URL.createObjectURL(new Blob(["<!doctype html>"], { type: "text/html" }));
    const failure = await failureOf(open({ name: newName(), wasm }));
    assert.instanceOf(failure, WasmLoadError);
    assert.match(failure.message, /no Wasm module, but 15 bytes of text\/html/);
  });

  it("is a WasmLoadError when the core is another module", async () => {
    const empty = new Blob([Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)]);
    const failure = await failureOf(open({ name: newName(), wasm: URL.createObjectURL(empty) }));
    assert.instanceOf(failure, WasmLoadError);
    assert.match(failure.message, /not the core of this build/);
  });

  it("is a StorageUnavailableError without IndexedDB, which memory does not need", async () => {
    const worker = fileHere("./private-worker.ts");
    const failure = await failureOf(open({ name: newName(), worker }));
    assert.instanceOf(failure, StorageUnavailableError);
    assert.match(failure.message, /IndexedDB/);
    const engine = await openEngine({ worker, storage: "memory" });
    assert.deepEqual(await engine.streams.list(), []);
  });

  it("leaves nothing held behind when it fails", async () => {
    const name = newName();
    await failureOf(open({ name, wasm: "/nowhere/core.wasm" }));
    const controller = new AbortController();
    const given = failureOf(open({ name, signal: controller.signal }));
    controller.abort(new Error("never mind"));
    assert.equal((await given).message, "never mind");
    const engine = await openEngine({ name });
    assert.isFalse(engine.closed);
  });

  it("refuses bad options before it starts a worker", async () => {
    const started: string[] = [];
    const worker = (): Worker => {
      started.push("worker");
      throw new Error("never");
    };
    const failure = await failureOf(open({ name: "a/b", worker }));
    assert.instanceOf(failure, InvalidArgumentError);
    assert.deepEqual(started, []);
  });
});

describe("an engine in a browser that is over", () => {
  afterEach(closeAll);

  it("fails every call with an EngineClosedError after it was closed", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    const waiting = failureOf(stream.read({ from: "LATEST", until: "live" }).next());
    await stream.describe();
    await engine.close();
    assert.isTrue(engine.closed);
    assert.instanceOf(await waiting, EngineClosedError);
    const record = { partitionKey: "k", data: "x" };
    for (const call of [
      () => stream.putRecord(record),
      () => stream.putRecords([record]),
      () => engine.streams.list(),
      () => engine.storage(),
      () => readTexts(stream),
    ]) {
      assert.instanceOf(await failureOf(call()), EngineClosedError);
    }
  });

  /** An engine whose worker can be told to fail. */
  async function openCrashing(storage: "indexeddb" | "memory"): Promise<[Millrace, () => void]> {
    let worker: Worker | undefined;
    const make = (): Worker => {
      worker = new Worker(fileHere("./crashing-worker.ts"), { type: "module" });
      // The page hears of the crash as well; here it is expected.
      worker.addEventListener("error", (event) => event.preventDefault());
      return worker;
    };
    const engine = await openEngine({ name: newName(), storage, worker: make });
    return [engine, () => worker?.postMessage("crash")];
  }

  it("rejects all that is under way with a ThreadCrashError when its worker fails, in memory", async () => {
    const [engine, crash] = await openCrashing("memory");
    const stream = await engine.streams.create("clicks");
    const reading = failureOf(stream.read({ from: "LATEST", until: "live" }).next());
    await stream.describe();
    crash();
    const failure = await reading;
    assert.instanceOf(failure, ThreadCrashError);
    assert.match(failure.message, /crashed on purpose/);
    assert.isTrue(engine.closed);
    const later = await failureOf(stream.putRecord({ partitionKey: "k", data: "x" }));
    assert.instanceOf(later, ThreadCrashError);
  });

  it("goes on with another worker when its worker fails, in IndexedDB", async () => {
    const [engine, crash] = await openCrashing("indexeddb");
    const stream = await engine.streams.create("clicks");
    const reading = stream.read({ from: "TRIM_HORIZON", until: "live" });
    for (const data of ["first", "second"]) {
      const next = reading.next();
      crash();
      await stream.putRecord({ partitionKey: "k", data });
      assert.equal((await next).value?.text(), data);
    }
    await reading.return?.();
    assert.isFalse(engine.closed);
    assert.deepEqual(await readTexts(stream), ["first", "second"]);
    crash();
    crash();
    const failure = await failureOf(
      (async () => {
        for (;;) {
          crash();
          await stream.putRecord({ partitionKey: "k", data: "x" });
        }
      })(),
    );
    assert.match(failure.message, /3 times in 10 s/);
    assert.isTrue(engine.closed);
  });
});
