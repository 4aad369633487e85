/** Whose modules a host runs, and that it hosts nothing once it was let go. */
import { type EngineClient, systemClock } from "@millrace/engine";
import { afterEach, assert, it, vi } from "vitest";
import { HostedJob } from "../../src/jobs/hosted-job.ts";
import { Jobs } from "../../src/jobs/jobs.ts";
import { refusalOfModule } from "../../src/jobs/module-url.ts";

afterEach(() => vi.unstubAllGlobals());

const DATA = "data:text/javascript,export default () => () => ({})";

it("in Node modules are files", () => {
  assert.isUndefined(refusalOfModule("file:///app/job.js"));
  const refused = [DATA, "https://app.example/job.js", "blob:nodedata:1", "node:fs", "job.js"];
  for (const module of refused) assert.isString(refusalOfModule(module), module);
});

it("in a page modules are of its origin", () => {
  vi.stubGlobal("location", new URL("https://app.example/page"));
  assert.isUndefined(refusalOfModule("https://app.example/job.js"));
  const refused = [
    ...[DATA, "blob:https://app.example/1", "file:///app/job.js", "javascript:0"],
    ...["https://evil.example/job.js", "http://app.example/job.js", "https://app.example:8/job.js"],
  ];
  for (const module of refused) assert.isString(refusalOfModule(module), module);
  vi.stubGlobal("location", new URL("file:///app/page.html"));
  assert.isUndefined(refusalOfModule("file:///app/job.js"));
  assert.isString(refusalOfModule(DATA));
});

it("a job with another module has failed before anything of it was started", () => {
  const restart = { stallMs: 1000, memoryBytesMax: null };
  const spec = { name: "evil", module: DATA, workers: 2, restart };
  let started = 0;
  const hosted = new HostedJob({ spec, version: 3, wanted: "running" } as never, {
    client: { name: "engine", clock: systemClock } as EngineClient,
    inTurn: false,
    start: () => {
      started += 1;
      throw new Error("started");
    },
    onChange: () => undefined,
  });
  const { workers } = hosted.report;
  assert.deepEqual(
    workers.map(({ state }) => state),
    ["failed", "failed"],
  );
  assert.match(workers[0]?.lastError?.message ?? "", /^its module must be the URL of a file/);
  assert.equal(started, 0);
});

it("a host that is let go while it begins hosts nothing", async () => {
  let listeners = 0;
  const listen = (): (() => void) => {
    listeners += 1;
    return () => {
      listeners -= 1;
    };
  };
  const nothing = new Promise<never>(() => undefined);
  const client = { closed: false, clock: systemClock, onLeave: listen, call: () => nothing };
  const events = { on: listen } as never;
  const jobs = new Jobs(client as never, events, false);
  const hosting = jobs.host();
  await jobs.release();
  await hosting;
  assert.equal(listeners, 0);
  await jobs.host();
  assert.equal(listeners, 3);
  await jobs.release();
  assert.equal(listeners, 0);
});
