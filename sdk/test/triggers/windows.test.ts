/** Tumbling windows of stream triggers: their state, their end, and what cuts them short. */
import type { KinesisEvent, Millrace, MillraceError } from "millrace";
import { describe, expect, it } from "vitest";
import { put, until } from "../groups/support.ts";
import { openEngine } from "../support.ts";
import { Calls, keepTrigger, openStreams, QUICK } from "./support.ts";

const SHARD_0 = "shardId-000000000000";

/** What the handler of the tests of windows was called with, without the records. */
function windowsOf(events: readonly KinesisEvent[]) {
  return events.map(({ Records, window, state, isFinalInvokeForWindow }) => ({
    ...{ records: Records.length, start: window?.start, state, final: isFinalInvokeForWindow },
  }));
}

/** Lets time pass in steps until something is so. */
async function advanceUntil({ time }: Millrace, stepMs: number, isSo: () => boolean) {
  await until(async () => {
    await time.advance(stepMs);
    return isSo();
  });
}

describe("tumbling windows", () => {
  /** Adds up the numbers of a window. */
  const adding = (batch: readonly string[], { state }: KinesisEvent) => {
    const { sum = 0 } = state as { sum?: number };
    return { state: { sum: batch.reduce((total, text) => total + Number(text), sum) } };
  };

  it("pass their state on, over restarts, and end with a final invocation", async () => {
    const engine = await openEngine({ time: "virtual" });
    const stream = await engine.streams.create("clicks");
    const toWindow = async () => {
      const nowMs = await engine.time.now();
      await engine.time.advance(10_000 - (nowMs % 10_000));
    };
    await toWindow();
    const startMs = await engine.time.now();
    await put(stream, 0, 4);
    const calls = new Calls();
    calls.answer = adding;
    const options = { ...QUICK, batchSize: 2, tumblingWindowS: 10 };
    const first = keepTrigger(await stream.trigger(calls.handler, options));
    await advanceUntil(engine, 1, () => calls.done.length === 2);
    await first.stop();
    await toWindow();
    await put(stream, 4, 5);
    keepTrigger(await stream.trigger(calls.handler, options));
    await advanceUntil(engine, 1, () => calls.done.length === 4);
    await toWindow();
    await engine.time.advance(2000);
    await advanceUntil(engine, 100, () => calls.done.length === 5);
    const second = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");
    const [one, two] = [second(startMs), second(startMs + 10_000)];
    expect(windowsOf(calls.events)).toEqual([
      { records: 2, start: one, state: {}, final: false },
      { records: 2, start: one, state: { sum: 1 }, final: false },
      { records: 0, start: one, state: { sum: 6 }, final: true },
      { records: 1, start: two, state: {}, final: false },
      { records: 0, start: two, state: { sum: 4 }, final: true },
    ]);
    expect(calls.events[0]).toMatchObject({
      shardId: SHARD_0,
      eventSourceARN: stream.arn,
      isWindowTerminatedEarly: false,
      window: { end: two },
    });
  });

  it("are terminated early when their state outgrows 1 MB, and keep one that is large", async () => {
    const { stream } = await openStreams();
    const calls = new Calls();
    calls.answer = (batch, { isFinalInvokeForWindow }) => {
      if (isFinalInvokeForWindow === true) return {};
      return { state: { text: '"'.repeat(batch.includes("1") ? 600_000 : 400_000) } };
    };
    const options = { ...QUICK, batchSize: 1, tumblingWindowS: 900 };
    const first = keepTrigger(await stream.trigger(calls.handler, options));
    await put(stream, 0, 1);
    await until(() => calls.done.length === 1);
    await first.stop();
    const second = keepTrigger(await stream.trigger(calls.handler, options));
    await put(stream, 1, 3);
    await until(() => calls.done.length === 4);
    const sizes = calls.events.map((event) => ({
      records: event.Records.length,
      size: JSON.stringify(event.state).length,
      early: event.isWindowTerminatedEarly,
    }));
    expect(sizes).toEqual([
      { records: 1, size: 2, early: false },
      { records: 1, size: 800_011, early: false },
      { records: 0, size: 1_200_011, early: true },
      { records: 1, size: 2, early: false },
    ]);
    await second.stop();
  });

  it("have failed when the state that comes back is none", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 2);
    const calls = new Calls();
    const cyclic: Record<string, unknown> = {};
    cyclic["self"] = cyclic;
    const bad = [5, [1], { n: 1n }, cyclic, { toJSON: () => undefined }];
    const answers = [...bad, { fine: true }].map((state) => ({ state }));
    calls.answer = () => answers.shift();
    const options = { ...QUICK, batchWindowMs: 50, tumblingWindowS: 900 };
    const trigger = keepTrigger(await stream.trigger(calls.handler, options));
    await until(() => trigger.metrics.records === 2);
    expect(trigger.metrics).toMatchObject({ invocations: 6, failures: 5 });
    await until(async () => (await trigger.describe()).group.leases[0]?.lagRecords === 0);
  });

  it("are given up with their batch when their state is none, and say so", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 2);
    const options = { ...QUICK, batchWindowMs: 50, tumblingWindowS: 900, maxRetries: 0 };
    const trigger = keepTrigger(await stream.trigger(() => ({ state: { n: 1n } }), options));
    const codes: unknown[] = [];
    trigger.on("invocation-failed", ({ error }) => codes.push((error as MillraceError).code));
    await until(() => trigger.metrics.discarded === 2);
    expect(codes).toEqual(["BatchResponseException"]);
    await until(async () => (await trigger.describe()).group.leases[0]?.lagRecords === 0);
  });

  it("that were open at a restart end when their time is over, without another record", async () => {
    const engine = await openEngine({ time: "virtual" });
    const stream = await engine.streams.create("clicks");
    await put(stream, 0, 2);
    const calls = new Calls();
    calls.answer = adding;
    const options = { ...QUICK, batchSize: 2, tumblingWindowS: 10 };
    const first = keepTrigger(await stream.trigger(calls.handler, options));
    await advanceUntil(engine, 1, () => calls.done.length === 1);
    await first.stop();
    await engine.time.advance(20_000);
    keepTrigger(await stream.trigger(calls.handler, options));
    await advanceUntil(engine, 100, () => calls.done.length === 2);
    expect(calls.events.at(-1)).toMatchObject({ state: { sum: 1 }, isFinalInvokeForWindow: true });
  });

  it("end with their shard; its children begin anew", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 10);
    await stream.split(SHARD_0);
    await put(stream, 10, 20);
    const calls = new Calls();
    calls.answer = adding;
    const options = { ...QUICK, tumblingWindowS: 900, batchWindowMs: 50 };
    keepTrigger(await stream.trigger(calls.handler, options));
    await until(() => calls.texts.length === 20);
    const parent = windowsOf(calls.events.filter(({ shardId }) => shardId === SHARD_0));
    expect(parent.at(-1)).toMatchObject({ records: 0, state: { sum: 45 }, final: true });
    const children = calls.events.filter(({ shardId }) => shardId !== SHARD_0);
    expect(children[0]?.state).toEqual({});
  });
});
