import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  EngineClosedError,
  InvalidArgumentError,
  LimitExceededError,
  MillraceError,
  type OpenOptions,
  open,
  ResourceInUseError,
  ResourceNotFoundError,
  StorageUnavailableError,
  StreamSpecMismatchError,
  VERSION,
  WasmLoadError,
} from "millrace";
import { describe, expect, it, vi } from "vitest";
import { failureOf, openEngine } from "./support.ts";

describe("open", () => {
  it.each<[string, unknown, string]>([
    ["no options", undefined, "options"],
    ["no name", {}, "name"],
    ["an empty name", { name: "" }, "name"],
    ["a name with a blank", { name: "my shop" }, "name"],
    ["a name of 129 characters", { name: "x".repeat(129) }, "name"],
    ["an unknown storage", { name: "x", storage: "disk" }, "storage"],
    ["unknown quotas", { name: "x", quotas: "some" }, "quotas"],
    [
      "a budget under 16 MiB",
      { name: "x", memoryBudgetBytes: 16 * 1_048_576 - 1 },
      "memoryBudgetBytes",
    ],
    ["a budget over 2 GiB", { name: "x", memoryBudgetBytes: 2 ** 31 + 1 }, "memoryBudgetBytes"],
    ["a budget in words", { name: "x", memoryBudgetBytes: "64" }, "memoryBudgetBytes"],
    [
      "a budget of the store under 16 MiB",
      { name: "x", storageBudgetBytes: 1 },
      "storageBudgetBytes",
    ],
    ["a broker that is a number", { name: "x", broker: 5 }, "broker"],
    ["a worker that is a number", { name: "x", worker: 5 }, "worker"],
    ["a core that is a number", { name: "x", wasm: 5 }, "wasm"],
    ["a signal that is none", { name: "x", signal: {} }, "signal"],
    ["files without a directory", { name: "x", storage: "file" }, "directory"],
    ["files in no directory", { name: "x", storage: "file", directory: "" }, "directory"],
    ["a directory for memory", { name: "x", storage: "memory", directory: "." }, "directory"],
    ["an unknown option", { name: "x", memoryBudget: 5 }, "options.memoryBudget"],
  ])("refuses %s, naming the argument and the limit", async (_what, options, argument) => {
    const failure = await failureOf(open(options as OpenOptions));
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure).toMatchObject({ argument });
    expect((failure as InvalidArgumentError).limit).toBeDefined();
  });

  it("refuses IndexedDB in Node", async () => {
    for (const options of [{ name: "x" }, { name: "x", storage: "indexeddb" } as const]) {
      const failure = await failureOf(open(options));
      expect(failure).toBeInstanceOf(StorageUnavailableError);
      expect(failure).toMatchObject({ argument: "storage", value: "indexeddb" });
    }
  });

  it("refuses files in a browser", async () => {
    vi.stubGlobal("Worker", class {});
    const failure = await failureOf(open({ name: "x", storage: "file", directory: "data" }));
    vi.unstubAllGlobals();
    expect(failure).toBeInstanceOf(StorageUnavailableError);
    expect(failure).toMatchObject({ argument: "storage", value: "file" });
  });

  it("keeps records in files in Node, for one at a time", async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-open-"));
    const options = { name: "shop", storage: "file", directory } as const;
    const first = await open(options);
    const clicks = await first.streams.create("clicks");
    await clicks.putRecord({ partitionKey: "k", data: "kept" });
    expect(await first.storage()).toMatchObject({ kind: "file", durable: true });
    const failure = await failureOf(open(options));
    expect(failure).toMatchObject({ code: "EngineInUseException", argument: "name" });
    expect(String(failure)).toContain("another tab, worker or process");
    await first.close();
    const second = await open(options);
    const stream = await second.streams.get("clicks");
    const texts: string[] = [];
    for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
      texts.push(record.text());
    }
    await second.close();
    await rm(directory, { recursive: true });
    expect(texts).toEqual(["kept"]);
  });

  it("ends with a WasmLoadError when the core is not there, or is no core", async () => {
    const html = fileURLToPath(new URL("../../package.json", import.meta.url));
    for (const wasm of ["/nowhere/core.wasm", html]) {
      const failure = await failureOf(open({ name: "x", storage: "memory", wasm }));
      expect(failure).toBeInstanceOf(WasmLoadError);
      expect(failure).toMatchObject({ argument: "wasm", value: wasm });
    }
  });

  it("is given up when its signal is aborted", async () => {
    const failure = await failureOf(
      open({ name: "x", storage: "memory", signal: AbortSignal.abort("stop") }).catch((reason) => {
        throw new Error(String(reason));
      }),
    );
    expect(failure).toMatchObject({ message: "stop" });
  });

  it("tells its version, which is the package's", async () => {
    for (const name of ["sdk", "engine/host"]) {
      const file = new URL(`../../${name}/package.json`, import.meta.url);
      expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ version: VERSION });
    }
  });
});

describe("an open engine", () => {
  it("reports its storage and no loss", async () => {
    const engine = await openEngine();
    expect(await engine.storage()).toMatchObject({ kind: "memory", durable: false });
    expect(await engine.dataLoss()).toEqual([]);
    expect(await engine.requestPersistence()).toBe(false);
    expect(engine.closed).toBe(false);
  });

  it("fails every call after it was closed, with a typed error", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    await engine.close();
    await engine.close();
    expect(engine.closed).toBe(true);
    const reading = stream.read({ from: "TRIM_HORIZON", until: "end" });
    const record = { partitionKey: "k", data: "x" };
    const calls = [
      engine.streams.list(),
      engine.streams.get("clicks"),
      engine.streams.ensure("clicks"),
      engine.streams.create("other"),
      engine.streams.delete("clicks"),
      engine.storage(),
      engine.dataLoss(),
      stream.describe(),
      stream.metrics(),
      stream.putRecord(record),
      stream.putRecords([record]),
      reading.next(),
    ];
    for (const failure of await Promise.all(calls.map(failureOf))) {
      expect(failure).toBeInstanceOf(EngineClosedError);
      expect(failure).toMatchObject({ argument: "name", value: engine.name });
    }
  });

  it("stores what was put in the task that closes it", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    const put = stream.putRecord({ partitionKey: "k", data: "last" });
    await engine.close();
    expect((await put).sequenceNumber).toMatch(/^\d{56}$/);
  });

  it("is closed at the end of an `await using` block", async () => {
    const engine = await openEngine();
    await engine[Symbol.asyncDispose]();
    expect(engine.closed).toBe(true);
  });

  it("does not keep Node alive after it was closed", async () => {
    const script = `
      import { createServer } from "vite";
      const server = await createServer({ configFile: false, appType: "custom",
        server: { middlewareMode: true, ws: false }, ssr: { resolve: { conditions: ["@millrace/source"],
        externalConditions: ["@millrace/source"] }, noExternal: true }, logLevel: "error" });
      const { openLocal } = await server.ssrLoadModule("/engine/host/src/local.ts");
      const options = { name: "x", storage: "memory", quotas: "unlimited", memoryBudgetBytes: 2 ** 26 };
      const client = await openLocal(options);
      const waiting = client.read({ streamUid: 1, cursors: [{ shardIndex: 0, nextIndex: 0 }],
        recordsMax: 1, bytesMax: 1, waitMs: 60000 }).catch((error) => error.code);
      await client.close();
      await server.close();
      console.log("closed", await waiting);`;
    const cwd = fileURLToPath(new URL("../..", import.meta.url));
    const run = promisify(execFile)("node", ["--input-type=module", "-e", script], {
      cwd,
      timeout: 25_000,
    });
    expect((await run).stdout).toMatch(/^closed (EngineClosed|ResourceNotFound)Exception\n$/);
  });
});

describe("streams", () => {
  it("are created with AWS's defaults, described, listed by name and deleted", async () => {
    const { streams } = await openEngine();
    const clicks = await streams.create("clicks");
    await streams.create("carts", { shards: 3, retentionHours: 48, recordKibMax: 2048 });
    expect(clicks.description).toMatchObject({ shards: 1, retentionHours: 24, recordKibMax: 1024 });
    expect(clicks.arn).toBe("arn:aws:kinesis:us-east-1:000000000000:stream/clicks");
    const carts = await streams.get("carts");
    expect(carts.description).toMatchObject({ shards: 3, retentionHours: 48, recordKibMax: 2048 });
    expect(carts.description.openShards.map(({ shardId }) => shardId)).toEqual([
      "shardId-000000000000",
      "shardId-000000000001",
      "shardId-000000000002",
    ]);
    expect((await streams.list()).map(({ name }) => name)).toEqual(["carts", "clicks"]);
    await streams.delete("clicks");
    expect((await streams.list()).map(({ name }) => name)).toEqual(["carts"]);
    expect(await failureOf(clicks.describe())).toBeInstanceOf(ResourceNotFoundError);
  });

  it("are ensured: created once, found afterwards, also by calls at the same time", async () => {
    const { streams } = await openEngine();
    const [a, b] = await Promise.all([
      streams.ensure("clicks", { shards: 2 }),
      streams.ensure("clicks", { shards: 2 }),
    ]);
    expect(a.description.uid).toBe(b.description.uid);
    const found = await streams.ensure("clicks");
    expect(found.description.shards).toBe(2);
  });

  it.each([
    ["shards", { shards: 3 }, 3, 2],
    ["retentionHours", { retentionHours: 25 }, 25, 24],
    ["recordKibMax", { recordKibMax: 2048 }, 2048, 1024],
  ])("are not ensured with another %s", async (field, spec, wanted, found) => {
    const { streams } = await openEngine();
    await streams.create("clicks", { shards: 2 });
    const failure = await failureOf(streams.ensure("clicks", spec));
    expect(failure).toBeInstanceOf(StreamSpecMismatchError);
    expect(failure).toMatchObject({ argument: field, value: wanted, limit: found });
  });

  it("that are not there are a ResourceNotFoundError with AWS's text", async () => {
    const { streams } = await openEngine();
    for (const call of [streams.get("nope"), streams.delete("nope")]) {
      const failure = await failureOf(call);
      expect(failure).toBeInstanceOf(ResourceNotFoundError);
      expect(failure).toMatchObject({
        message: "Stream nope under account 000000000000 not found.",
        value: "nope",
      });
    }
  });

  it("cannot be created twice", async () => {
    const { streams } = await openEngine();
    await streams.create("clicks");
    const failure = await failureOf(streams.create("clicks"));
    expect(failure).toBeInstanceOf(ResourceInUseError);
    expect(failure).not.toBeInstanceOf(StreamSpecMismatchError);
  });

  it("hold 500 open shards together at most", async () => {
    const { streams } = await openEngine();
    await streams.create("many", { shards: 499 });
    const failure = await failureOf(streams.create("more", { shards: 2 }));
    expect(failure).toBeInstanceOf(LimitExceededError);
    expect(failure).toMatchObject({ argument: "shards", value: 2, limit: 1 });
  });

  it.each<[string, unknown, unknown, string]>([
    ["an empty name", "", {}, "name"],
    ["a name with a slash", "a/b", {}, "name"],
    ["a name of 129 characters", "x".repeat(129), {}, "name"],
    ["a name that is no string", 5, {}, "name"],
    ["no shards", "x", { shards: 0 }, "spec.shards"],
    ["501 shards", "x", { shards: 501 }, "spec.shards"],
    ["half a shard", "x", { shards: 1.5 }, "spec.shards"],
    ["23 hours", "x", { retentionHours: 23 }, "spec.retentionHours"],
    ["8,761 hours", "x", { retentionHours: 8761 }, "spec.retentionHours"],
    ["records of 1,023 KiB", "x", { recordKibMax: 1023 }, "spec.recordKibMax"],
    ["records of 10,241 KiB", "x", { recordKibMax: 10_241 }, "spec.recordKibMax"],
    ["an unknown member", "x", { shardCount: 2 }, "spec.shardCount"],
    ["a spec that is no object", "x", 2, "spec"],
  ])("are refused with %s", async (_what, name, spec, argument) => {
    const { streams } = await openEngine();
    for (const call of ["create", "ensure"] as const) {
      const failure = await failureOf(streams[call](name as string, spec as object));
      expect(failure).toBeInstanceOf(InvalidArgumentError);
      expect(failure).toBeInstanceOf(MillraceError);
      expect(failure).toMatchObject({ argument });
    }
    expect(await streams.list()).toEqual([]);
  });
});
