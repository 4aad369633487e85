/** Pages that end, or lose their engine, while workers of their jobs still finish what is under way. */
import { afterEach, expect, it, vi } from "vitest";
import { Millrace } from "../../src/millrace.ts";
import { DirectClient, settle } from "../direct-client.ts";

/** A jobs worker that runs from the beginning, and finishes when the test lets it. */
class FakeWorker extends EventTarget {
  terminated = false;
  readonly told: (string | undefined)[] = [];

  postMessage(message: { readonly millraceJob?: string }): void {
    this.told.push(message.millraceJob);
  }

  say(millraceJob: string): void {
    this.dispatchEvent(new MessageEvent("message", { data: { millraceJob } }));
  }

  terminate(): void {
    this.terminated = true;
  }
}

afterEach(() => vi.unstubAllGlobals());

/** An engine with one job, which runs here. */
async function host() {
  vi.stubGlobal("Worker", FakeWorker);
  const client = await DirectClient.open();
  const millrace = new Millrace(client, false);
  await client.engine.createStream("in", 1);
  const group = { streamName: "in" };
  await millrace.jobs.define("job", { module: "file:///job.mjs", group });
  const worker = new FakeWorker();
  await millrace.jobs.host(() => worker as never);
  await settle();
  worker.say("running");
  return { client, millrace, worker };
}

/** The same, while the job's worker finishes. */
async function hostThatStopped() {
  const { client, millrace, worker } = await host();
  await millrace.jobs.stop("job");
  // The host looks at its jobs every second.
  for (let looks = 0; looks < 3; looks++) await client.engine.platform.clock.advance(1000);
  expect(worker.told.at(-1)).toBe("stop");
  expect(worker.terminated).toBe(false);
  return { client, millrace, worker };
}

it.each(["close", "release"])("closing waits for workers after a first %s, too", async (what) => {
  const { client, millrace, worker } = await host();
  const first = what === "close" ? millrace.close() : millrace.jobs.release();
  await settle();
  expect(worker.told.at(-1)).toBe("stop");
  const second = millrace.close();
  await settle();
  expect(client.closed).toBe(false);
  worker.say("stopped");
  await Promise.all([first, second]);
  expect(client.closed).toBe(true);
});

it("a page that goes ends workers that are finishing", async () => {
  const { client, millrace, worker } = await hostThatStopped();
  client.leave();
  expect(worker.terminated).toBe(true);
  await millrace.close();
});

it("without an engine nothing is waited for", async () => {
  const { client, millrace, worker } = await hostThatStopped();
  await client.close();
  const closing = millrace.close();
  await settle();
  expect(worker.terminated).toBe(true);
  await closing;
});
