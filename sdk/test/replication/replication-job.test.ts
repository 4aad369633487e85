/**
 * Replications as jobs, in threads of Node: a real engine, a real server as the far side, and a module with a copy of
 * the package of its own. Whatever ends the worker or the way, all arrives in order, and consumers see nothing twice.
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { JobDefinition, JobDescription, Millrace, Stream } from "millrace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { checkServeOptions } from "../../src/serve/options.ts";
import { serveEngine } from "../../src/serve/server.ts";
import { put, until } from "../groups/support.ts";
import { bundleFile, bundleWorker, openHost, removeWorker, untilJob } from "../jobs/support.ts";
import { answer, forward, startStub } from "../remote/stub-endpoint.ts";
import { CREDENTIALS, endLater } from "../remote/support.ts";
import { CALL_BYTES_MAX, type DeskAnswer } from "./replication-modules.ts";
import { checkOrder, consume, openEngine } from "./support.ts";

const SOURCE = fileURLToPath(new URL("replication-modules.ts", import.meta.url));
const MODULE = new URL(
  `../../../build/jobs/replication-modules-${process.pid}.js`,
  import.meta.url,
);

/** Records of which one call of `shipAndDie` has no room for all, and the bytes of each. */
const PART = 600;
const DATA_BYTES = Math.ceil((1.3 * CALL_BYTES_MAX) / PART);

beforeAll(async () => {
  await Promise.all([bundleWorker(), bundleFile(SOURCE, MODULE, [/^@aws-sdk\//, /^@smithy\//])]);
}, 60_000);
afterAll(async () => {
  await Promise.all([removeWorker(), rm(MODULE)]);
});

/** A way to a server that a test can close, and the desk that tells the module where it is. */
async function makeFar(shards: number) {
  const there = await openEngine();
  const inside = await there.streams.ensure("clicks", { shards });
  const options = checkServeOptions({ port: 0, accessKeys: [CREDENTIALS] });
  const server = await serveEngine(clientOf(there), options);
  endLater(() => server.close());
  const way: { state: "open" | "down" | "refusing"; calls: number } = { state: "open", calls: 0 };
  const endpoint = await startStub((question) => {
    way.calls += 1;
    if (way.state === "open") forward(server.url, question);
    else if (way.state === "down") question.response.destroy();
    else {
      const __type = "UnrecognizedClientException";
      answer(question.response, 400, { __type, message: "The security token is invalid." });
    }
  });
  const desk: { -readonly [Member in keyof DeskAnswer]: DeskAnswer[Member] } = {
    ...{ endpoint, credentials: CREDENTIALS, answersMax: null },
  };
  const deskUrl = await startStub(({ response }) => answer(response, 200, desk));
  return { inside, way, desk, deskUrl };
}

function shipping(
  desk: string,
  exported = "ship",
  more: Partial<JobDefinition> = {},
): JobDefinition {
  const options = { from: "TRIM_HORIZON", failoverMs: 60_000 } as const;
  return {
    ...{ module: MODULE, export: exported, settings: { desk } },
    ...{ group: { streamName: "clicks", options }, restart: { firstMs: 50 } },
    ...more,
  };
}

async function openNear(options: Parameters<typeof openHost>[0] = {}): Promise<{
  readonly engine: Millrace;
  readonly local: Stream;
}> {
  const engine = await openHost(options);
  return { engine, local: await engine.streams.ensure("clicks", { shards: 2 }) };
}

async function untilShipped(engine: Millrace, name: string): Promise<JobDescription> {
  return await untilJob(
    engine,
    name,
    ({ state, lagRecords }) => state === "running" && lagRecords === 0,
  );
}

/** How many records are stored on the far side, with those that were sent twice. */
async function countStored(inside: Stream, atLeast: number): Promise<number> {
  return (await consume(inside, atLeast, { group: "all", repeats: "keep" })).length;
}

describe("a replication as a job", () => {
  it("ships all in order, stops and goes on", async () => {
    const { inside, deskUrl } = await makeFar(3);
    const { engine, local } = await openNear();
    await put(local, 0, 500);
    await engine.jobs.define("ship-clicks", shipping(deskUrl));
    const first = await untilShipped(engine, "ship-clicks");
    expect(first.restarts).toBe(0);
    expect(first.lastError).toBeUndefined();
    await untilJob(engine, "ship-clicks", ({ records }) => records === 500);
    await engine.jobs.stop("ship-clicks");
    const group = await engine.groups.get("ship-clicks");
    await until(async () => (await group.describe()).workers.length === 0);
    await put(local, 500, 600);
    expect((await engine.jobs.describe("ship-clicks")).lagRecords).toBe(100);
    await engine.jobs.start("ship-clicks");
    await untilShipped(engine, "ship-clicks");
    checkOrder(await consume(inside, 600), 0, 600);
    expect(await countStored(inside, 600)).toBe(600);
  });

  it("goes on when its worker ends between a call and its answer, and consumers see nothing twice", async () => {
    const { inside, desk, deskUrl } = await makeFar(2);
    const { engine, local } = await openNear();
    desk.answersMax = 2;
    await engine.jobs.define("ship-clicks", shipping(deskUrl, "shipAndDie"));
    for (let part = 0; part < 3; part++) {
      const records = Array.from({ length: PART }, (_, i) => ({
        partitionKey: `key-${i % 50}`,
        data: `${part * PART + i}`.padEnd(DATA_BYTES, " "),
      }));
      expect((await local.putRecords(records)).failedRecordCount).toBe(0);
      const { lastError } = await untilJob(
        engine,
        "ship-clicks",
        ({ restarts }) => restarts > part,
      );
      expect(lastError?.message).toMatch(/exit code 3/);
    }
    desk.answersMax = null;
    await untilShipped(engine, "ship-clicks");
    checkOrder(await consume(inside, 3 * PART), 0, 3 * PART);
    expect(await countStored(inside, 3 * PART)).toBeGreaterThan(3 * PART);
  });

  it("rides an outage out in the same worker", async () => {
    const { inside, way, deskUrl } = await makeFar(2);
    const { engine, local } = await openNear();
    await engine.jobs.define("ship-clicks", shipping(deskUrl));
    await put(local, 0, 100);
    await untilShipped(engine, "ship-clicks");
    way.state = "down";
    await put(local, 100, 200);
    const out = await untilJob(engine, "ship-clicks", ({ lastError }) => lastError !== undefined);
    expect(out.lastError?.message).toMatch(/^outage: (RemoteUnavailableError|DeadlineError): /);
    expect(out).toMatchObject({ state: "running", restarts: 0, lagRecords: 100 });
    const before = way.calls;
    await until(() => way.calls > before + 1);
    way.state = "open";
    const after = await untilShipped(engine, "ship-clicks");
    expect(after.restarts).toBe(0);
    expect(after.workers[0]?.workerId).toBe(out.workers[0]?.workerId);
    checkOrder(await consume(inside, 200), 0, 200);
  });

  it("waits in the same worker for a far side that cannot be reached when it begins", async () => {
    const { inside, way, deskUrl } = await makeFar(2);
    const { engine, local } = await openNear();
    way.state = "down";
    await put(local, 0, 50);
    await engine.jobs.define("ship-clicks", shipping(deskUrl));
    const out = await untilJob(engine, "ship-clicks", ({ lastError }) => lastError !== undefined);
    expect(out.lastError?.message).toMatch(/^(RemoteUnavailableError|DeadlineError): /);
    expect(out).toMatchObject({ state: "starting", restarts: 0 });
    way.state = "open";
    expect((await untilShipped(engine, "ship-clicks")).restarts).toBe(0);
    checkOrder(await consume(inside, 50), 0, 50);
  });

  it("is begun again with the reason while it has wrong credentials, and goes on with right ones", async () => {
    const { inside, desk, deskUrl } = await makeFar(2);
    const { engine, local } = await openNear();
    desk.credentials = { ...CREDENTIALS, secretAccessKey: "a guess" };
    await put(local, 0, 50);
    await engine.jobs.define("ship-clicks", shipping(deskUrl));
    const refused = await untilJob(engine, "ship-clicks", ({ restarts }) => restarts > 1);
    expect(refused.lastError?.message).toMatch(/^CredentialsError: /);
    expect(refused.lagRecords).toBe(50);
    desk.credentials = CREDENTIALS;
    await untilShipped(engine, "ship-clicks");
    checkOrder(await consume(inside, 50), 0, 50);
  });

  it("ends its worker with the reason when it is refused later, and the next one goes on", async () => {
    const { inside, way, deskUrl } = await makeFar(2);
    const { engine, local } = await openNear();
    const restart = { firstMs: 60_000 };
    await engine.jobs.define("ship-clicks", shipping(deskUrl, "ship", { restart }));
    await put(local, 0, 50);
    await untilShipped(engine, "ship-clicks");
    way.state = "refusing";
    await put(local, 50, 100);
    const refused = await untilJob(engine, "ship-clicks", ({ state }) => state === "restarting");
    expect(refused.lastError?.message).toBe("CredentialsError: The security token is invalid.");
    expect(refused.lagRecords).toBe(50);
    // It has left its group: whoever comes next need not wait for its leases.
    const { leases } = await (await engine.groups.get("ship-clicks")).describe();
    expect(leases.map(({ owner }) => owner)).toEqual([null, null]);
    way.state = "open";
    await engine.jobs.start("ship-clicks");
    await untilShipped(engine, "ship-clicks");
    checkOrder(await consume(inside, 100), 0, 100);
  });

  it("is begun again when its module has closed the far side, also with nothing to send", async () => {
    const { inside, desk, deskUrl } = await makeFar(1);
    const { engine, local } = await openNear();
    desk.answersMax = 0;
    await engine.jobs.define("ship-clicks", shipping(deskUrl, "shipAndClose"));
    const closed = await untilJob(engine, "ship-clicks", ({ restarts }) => restarts > 0);
    expect(closed.lastError?.message).toMatch(/^EngineClosedError: /);
    desk.answersMax = null;
    await put(local, 0, 20);
    await untilShipped(engine, "ship-clicks");
    checkOrder(await consume(inside, 20), 0, 20);
  });

  it("goes on in a later engine over the same files, which hold nothing of the credentials", async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-replication-"));
    endLater(() => rm(directory, { recursive: true, force: true }));
    const { inside, deskUrl } = await makeFar(2);
    const options = { storage: "file", directory, name: "ships" } as const;
    const first = await openNear(options);
    await put(first.local, 0, 300);
    await first.engine.jobs.define("ship-clicks", shipping(deskUrl));
    await untilJob(first.engine, "ship-clicks", ({ lagRecords }) => lagRecords < 300);
    await first.engine.close();
    const files = await readdir(directory, { recursive: true, withFileTypes: true });
    const stored = files.filter((file) => file.isFile());
    expect(stored.length).toBeGreaterThan(0);
    for (const { parentPath, name } of stored) {
      const bytes = await readFile(join(parentPath, name));
      for (const text of Object.values(CREDENTIALS)) expect(bytes.includes(text)).toBe(false);
    }
    const second = await openNear(options);
    await put(second.local, 300, 400);
    await untilShipped(second.engine, "ship-clicks");
    checkOrder(await consume(inside, 400), 0, 400);
  });

  it.each([
    ["misspelt", {}, /InvalidArgumentError: .*agregate/],
    ["nowhere", {}, /InvalidArgumentError: remote/],
    ["refused", {}, /^AccessDeniedError: nothing is taken here$/],
    ["ship", { worker: { repeats: "keep" } }, /InvalidArgumentError: definition\.worker/],
  ] as const)("says what is wrong with it: %s", async (exported, more, why) => {
    const { deskUrl } = await makeFar(1);
    const { engine } = await openNear();
    const restart = { firstMs: 60_000 };
    await engine.jobs.define("ship-clicks", shipping(deskUrl, exported, { ...more, restart }));
    const { lastError } = await untilJob(
      engine,
      "ship-clicks",
      ({ state }) => state === "restarting",
    );
    expect(lastError?.message).toMatch(why);
  });
});
