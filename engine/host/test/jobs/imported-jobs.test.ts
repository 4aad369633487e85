/** Jobs of a log that was imported: whoever wrote it starts nothing here. */
import { afterEach, describe, expect, it } from "vitest";
import { InvalidArgumentError } from "../../src/errors/index.ts";
import type { JobSpec } from "../../src/jobs/job-types.ts";
import { Jobs } from "../../src/jobs/jobs.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { openImporter } from "../../src/service/importer.ts";
import { coreModule, SMALL_ENGINE, TestEngine } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

const opened: TestEngine[] = [];
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.service.close();
});

const SPEC: JobSpec = {
  ...{ name: "copies", module: "https://evil.example/job.js", exportName: "default" },
  settings: null,
  group: { name: "copies", streamName: "clicks", startingPosition: { type: "LATEST" } },
  ...{ worker: {}, workers: 1 },
  restart: {
    ...{ firstMs: 1000, longestMs: 60_000, quietMs: 60_000, stallMs: 10_000 },
    ...{ attemptsMax: null, memoryBytesMax: null },
  },
};
const HOST = { hostId: "host", reports: [] };
const OPTIONS = { ...SMALL_ENGINE, name: "copy" } as const;

/** An engine whose log was imported, with a job that ran where it comes from. */
async function imported(): Promise<TestEngine> {
  const platform = virtualPlatform();
  const { service } = await TestEngine.open(platform);
  expect(await service.call("jobsPut", SPEC)).toMatchObject({ wanted: "running" });
  const { id } = await service.call("openExport", {});
  const importer = await openImporter(platform, await coreModule(), OPTIONS);
  for (let piece = 1; ; piece++) {
    const bytes = await service.call("readExport", { id, piece });
    if (bytes === null) break;
    await importer.call("writeImport", { bytes });
  }
  await importer.call("finishImport", {});
  await importer.close();
  await service.close();
  const engine = await TestEngine.open(platform, { name: OPTIONS.name });
  opened.push(engine);
  return engine;
}

describe("a job of an imported log", () => {
  it("is stopped, until it is started here", async () => {
    const { service } = await imported();
    expect(await service.call("jobsReport", HOST)).toMatchObject([{ wanted: "stopped" }]);
    expect(await service.call("jobsList", {})).toMatchObject([{ state: "stopped", spec: SPEC }]);
    const started = await service.call("jobsSwitch", { name: "copies", wanted: "running" });
    expect(started).toMatchObject({ wanted: "running", version: 2 });
    expect(await service.call("jobsReport", HOST)).toMatchObject([{ wanted: "running" }]);
  });

  it("runs when it is defined here, unless it was stopped here", async () => {
    const { service } = await imported();
    expect(await service.call("jobsPut", SPEC)).toMatchObject({ wanted: "running" });
    const other = await imported();
    await other.service.call("jobsSwitch", { name: "copies", wanted: "stopped" });
    expect(await other.service.call("jobsPut", SPEC)).toMatchObject({ wanted: "stopped" });
  });
});

describe("a document that is no job", () => {
  const kept = { spec: SPEC, wanted: "running", version: 1, createdMs: 0, incarnation: "own" };
  it.each([
    ["nothing", null],
    ["more workers than there may be", { ...kept, spec: { ...SPEC, workers: 1e9 } }],
    ["no group", { ...kept, spec: { ...SPEC, group: null } }],
    ["no module", { ...kept, spec: { ...SPEC, module: 7 } }],
    ["another name", { ...kept, spec: { ...SPEC, name: "others" } }],
    ["another wish", { ...kept, wanted: "always" }],
    ["no version", { ...kept, version: "1" }],
  ])("is listed as failed and never handed out: %s", async (_, document) => {
    const documents = {
      get: (key: string) => (key === "job/copies" ? document : undefined),
      keys: () => ["job/copies"],
    };
    const jobs = new Jobs({
      ...{ clock: new VirtualClock(0), documents, onChange: () => undefined },
      ...{ catalogue: { change: async (decide: () => unknown) => void decide() } },
      incarnation: () => "own",
    } as never);
    expect(jobs.report("host", [])).toEqual([]);
    const [job] = jobs.list(undefined);
    expect(job).toMatchObject({ state: "failed", wanted: "stopped", spec: { name: "copies" } });
    expect(job?.report?.workers[0]?.lastError?.message).toMatch(/its definition cannot be: /);
    expect(await failureOf(jobs.switch("copies", "running"))).toBeInstanceOf(InvalidArgumentError);
    jobs.stop();
  });
});
