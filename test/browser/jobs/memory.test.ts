/** A job that leaks: ended where the browser tells how much memory a worker holds, and left alone elsewhere. */
import { assert } from "chai";
import { closeAll, fileHere, openEngine } from "../sdk/support.ts";

/** A measurement waits for the browser's next collection of garbage. */
const UNTIL_MS_MAX = 90_000;
const LIMIT_BYTES = 33_554_432;

afterEach(closeAll);

it("a job that holds more memory than it may is ended, where that is told", async () => {
  const engine = await openEngine({ jobs: true });
  await engine.streams.ensure("in");
  const module = fileHere("../jobs/job-modules.js");
  const restart = { firstMs: 600_000, stallMs: 30_000, memoryBytesMax: LIMIT_BYTES };
  const group = { streamName: "in" };
  await engine.jobs.define("holds", { module, export: "hold", group, restart });
  await engine.jobs.define("copies", { module, export: "copy", group, restart, settings: {} });
  const endMs = performance.now() + UNTIL_MS_MAX;
  const isTold = crossOriginIsolated && "measureUserAgentSpecificMemory" in performance;
  const wanted = isTold ? "restarting" : "running";
  let holds = await engine.jobs.describe("holds");
  while (holds.state !== wanted && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    holds = await engine.jobs.describe("holds");
  }
  assert.equal(holds.state, wanted);
  if (isTold) assert.match(holds.lastError?.message ?? "", /its memory held \d+ bytes/);
  else assert.isUndefined(holds.workers[0]?.memoryBytes);
  assert.equal((await engine.jobs.describe("copies")).state, "running");
}).timeout(UNTIL_MS_MAX + 30_000);
