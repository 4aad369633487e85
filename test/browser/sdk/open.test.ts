/** Opening engines in Chromium: what goes well, and everything that can go wrong, by its typed error. */
import { assert } from "chai";
import {
  EngineClosedError,
  EngineInUseError,
  InvalidArgumentError,
  open,
  StorageUnavailableError,
  ThreadCrashError,
  VersionMismatchError,
  WasmLoadError,
  WorkerLoadError,
} from "millrace";
import { closeAll, failureOf, fileHere, newName, openEngine, readTexts } from "./support.ts";

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

  it("is an EngineInUseError while another worker holds the engine, and works after it", async () => {
    const name = newName();
    const first = await open({ name });
    const failure = await failureOf(open({ name }));
    assert.instanceOf(failure, EngineInUseError);
    assert.match(failure.message, /sharing one engine is not supported yet/);
    assert.equal(failure.value, name);
    await first.streams.create("clicks");
    await first.close();
    const second = await openEngine({ name });
    assert.lengthOf(await second.streams.list(), 1);
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
  });

  it("is a WorkerLoadError when the worker is HTML", async () => {
    const worker = URL.createObjectURL(new Blob(["<!doctype html>"], { type: "text/html" }));
    const failure = await failureOf(open({ name: newName(), worker }));
    assert.instanceOf(failure, WorkerLoadError);
    assert.match(failure.message, /text\/html/);
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
    assert.equal(failure.name, "CoreModuleError");
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

  it("rejects all that is under way with a ThreadCrashError when its worker fails", async () => {
    const name = newName();
    let worker: Worker | undefined;
    const engine = await open({
      name,
      worker: () => {
        worker = new Worker(fileHere("./crashing-worker.ts"), { type: "module" });
        // The page hears of the crash as well; here it is expected.
        worker.addEventListener("error", (event) => event.preventDefault());
        return worker;
      },
    });
    const stream = await engine.streams.create("clicks");
    await stream.putRecord({ partitionKey: "k", data: "acknowledged" });
    const reading = failureOf(stream.read({ from: "LATEST", until: "live" }).next());
    await stream.describe();
    worker?.postMessage("crash");
    const failure = await reading;
    assert.instanceOf(failure, ThreadCrashError);
    assert.match(failure.message, /crashed on purpose/);
    assert.isTrue(engine.closed);
    const later = await failureOf(stream.putRecord({ partitionKey: "k", data: "x" }));
    assert.instanceOf(later, ThreadCrashError);
    const again = await openEngine({ name });
    assert.deepEqual(await readTexts(await again.streams.get("clicks")), ["acknowledged"]);
  });
});
