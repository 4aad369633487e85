/** Jobs in one engine: definitions that last, and what hosts tell of them. */
import { afterEach, describe, expect, it } from "vitest";
import { InvalidArgumentError, ResourceNotFoundError } from "../../src/errors/index.ts";
import type { JobReport, JobSpec, JobState, JobWorkerReport } from "../../src/jobs/job-types.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

const opened: TestEngine[] = [];
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.service.close();
});

async function open(platform = virtualPlatform()): Promise<TestEngine> {
  const engine = await TestEngine.open(platform);
  opened.push(engine);
  return engine;
}

const SPEC: JobSpec = {
  ...{ name: "copies", module: "https://example.com/job.js", exportName: "default" },
  settings: { to: ["a", 1, null] },
  group: {
    ...{ name: "copies", streamName: "clicks", startingPosition: { type: "LATEST" } },
  },
  ...{ worker: {}, workers: 2 },
  restart: {
    ...{ firstMs: 1000, longestMs: 60_000, quietMs: 60_000, stallMs: 10_000 },
    ...{ attemptsMax: null, memoryBytesMax: null },
  },
};

function worker(state: JobWorkerReport["state"]): JobWorkerReport {
  return {
    ...{ state, workerId: "w", restarts: 0, lastError: undefined },
    ...{ records: 1, recordsPerSecond: 2, memoryBytes: undefined },
  };
}

function report(version: number, ...states: JobWorkerReport["state"][]): JobReport {
  return { name: "copies", version, workers: states.map(worker), log: [] };
}

async function stateOf(engine: TestEngine): Promise<JobState | undefined> {
  return (await engine.service.call("jobsList", { name: "copies" }))[0]?.state;
}

/** States of all events so far. */
async function told(engine: TestEngine): Promise<(JobState | undefined)[]> {
  const { events } = await engine.service.call("events", {
    after: { epoch: 0, nextEvent: 0 },
    waitMs: 0,
  });
  return events.flatMap((event) => (event.kind === "job-changed" ? [event.state] : []));
}

describe("a job's definition", () => {
  it("is stored, and is there in the next life", async () => {
    const platform: VirtualPlatform = virtualPlatform();
    const first = await open(platform);
    const put = await first.service.call("jobsPut", SPEC);
    expect(put).toMatchObject({ spec: SPEC, wanted: "running", version: 1, state: "waiting" });
    expect(put.hostId).toBeUndefined();
    await first.service.close();
    opened.length = 0;
    const second = await open(platform);
    expect(await second.service.call("jobsList", {})).toEqual([put]);
  });

  it("has another version when it changes, and the same one when it does not", async () => {
    const { service } = await open();
    await service.call("jobsPut", SPEC);
    expect((await service.call("jobsPut", { ...SPEC })).version).toBe(1);
    const changed = await service.call("jobsPut", { ...SPEC, settings: 7 });
    expect(changed).toMatchObject({ version: 2, spec: { settings: 7 } });
    const stopped = await service.call("jobsSwitch", { name: "copies", wanted: "stopped" });
    expect(stopped).toMatchObject({ version: 3, state: "stopped" });
    expect((await service.call("jobsPut", { ...SPEC, settings: 7 })).wanted).toBe("stopped");
    await service.call("jobsDelete", { name: "copies" });
    expect((await service.call("jobsPut", SPEC)).version).toBe(4);
  });

  it("is refused when it cannot be", async () => {
    const { service } = await open();
    const refused: Partial<JobSpec>[] = [
      { name: "a/b" },
      { module: "" },
      { workers: 0 },
      { workers: 65 },
      { settings: "x".repeat(65_536) },
      { restart: { ...SPEC.restart, stallMs: 0 } },
      { group: { ...SPEC.group, name: "" } },
      { group: null as never },
      { restart: null as never },
      { worker: [] as never },
      { settings: 1n as never },
    ];
    for (const part of refused) {
      const put = service.call("jobsPut", { ...SPEC, ...part });
      expect(await failureOf(put)).toBeInstanceOf(InvalidArgumentError);
    }
    expect(await service.call("jobsList", {})).toEqual([]);
    for (const call of [
      service.call("jobsList", { name: "none" }),
      service.call("jobsDelete", { name: "none" }),
      service.call("jobsSwitch", { name: "none", wanted: "running" }),
    ]) {
      expect(await failureOf(call)).toBeInstanceOf(ResourceNotFoundError);
    }
  });

  it("is deleted once, though the call is made again", async () => {
    const { service } = await open();
    await service.call("jobsPut", SPEC);
    await service.call("jobsDelete", { name: "copies" });
    expect(await service.call("jobsDelete", { name: "copies" }, true)).toBeNull();
  });

  it("goes when everything is deleted", async () => {
    const { service } = await open();
    await service.call("jobsPut", SPEC);
    await service.call("reset", {});
    expect(await service.call("jobsList", {})).toEqual([]);
  });
});

describe("what a host tells", () => {
  it("decides how a job is doing, worst worker first, and each change is told once", async () => {
    const engine = await open();
    const { version } = await engine.service.call("jobsPut", SPEC);
    const tell = async (...states: JobWorkerReport["state"][]): Promise<void> => {
      const jobs = await engine.service.call("jobsReport", {
        ...{ hostId: "host", reports: [report(version, ...states)] },
      });
      expect(jobs.map(({ spec }) => spec.name)).toEqual(["copies"]);
    };
    await tell("starting", "running");
    expect(await stateOf(engine)).toBe("starting");
    await tell("running", "running");
    await tell("running", "running");
    expect(await stateOf(engine)).toBe("running");
    await tell("running", "restarting");
    await tell("failed", "restarting");
    expect(await stateOf(engine)).toBe("failed");
    const restarted = await engine.service.call("jobsSwitch", {
      name: "copies",
      wanted: "running",
    });
    expect(restarted).toMatchObject({ version: version + 1, state: "waiting", hostId: undefined });
    await engine.service.call("jobsDelete", { name: "copies" });
    expect(await told(engine)).toEqual([
      ...["waiting", "starting", "running", "restarting", "failed", "waiting", undefined],
    ]);
  });

  it("is nothing of another version, and nothing once the host is silent", async () => {
    const platform = virtualPlatform();
    const engine = await open(platform);
    const { version } = await engine.service.call("jobsPut", SPEC);
    const tell = (told: number) =>
      engine.service.call("jobsReport", { hostId: "host", reports: [report(told, "running")] });
    await tell(version - 1);
    expect(await stateOf(engine)).toBe("waiting");
    await tell(version);
    expect(await stateOf(engine)).toBe("running");
    await platform.clock.advance(10_001);
    expect(await told(engine)).toEqual(["waiting", "running", "waiting"]);
    expect(await stateOf(engine)).toBe("waiting");
  });

  it("has a job whose worker waits for its time begin at once when it is started", async () => {
    const { service } = await open();
    const { version } = await service.call("jobsPut", SPEC);
    const start = () => service.call("jobsSwitch", { name: "copies", wanted: "running" });
    await service.call("jobsReport", { hostId: "host", reports: [report(version, "running")] });
    expect((await start()).version).toBe(version);
    await service.call("jobsReport", { hostId: "host", reports: [report(version, "restarting")] });
    expect((await start()).version).toBe(version + 1);
  });

  it("replaces what another host told before", async () => {
    const engine = await open();
    const { version } = await engine.service.call("jobsPut", SPEC);
    for (const hostId of ["one", "two"]) {
      const reports = hostId === "one" ? [report(version, "running")] : [];
      await engine.service.call("jobsReport", { hostId, reports });
    }
    expect(await stateOf(engine)).toBe("waiting");
  });
});
