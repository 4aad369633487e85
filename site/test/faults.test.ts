/** The faults' accounts: what is lost, twice, misplaced or torn is noticed, and put in words. */
import { open, type StreamRecord } from "millrace";
import { describe, expect, it } from "vitest";
import { BenchProducer } from "../src/faults/bench-producer.ts";
import { numberedRecord, numberIn } from "../src/faults/numbered-record.ts";
import type { RunResult } from "../src/faults/run-result.ts";
import { Acknowledgements, type ReadRecord, Tally } from "../src/faults/tally.ts";
import { Trace } from "../src/faults/trace.ts";
import { flawsOf, spokenResult, toldByKind, toldText, verdictOf } from "../src/faults/words.ts";

const SHARD = "shardId-000000000000";

function readRecord(lane: string, number: number, sequenceNumber: number): ReadRecord {
  const { partitionKey, data } = numberedRecord(lane, number, 20);
  return { partitionKey, data, shardId: SHARD, sequenceNumber: String(sequenceNumber) };
}

/** Acknowledgements of the numbers 0, 1, 2… of a lane under the sequence numbers 100, 101, 102… */
function acknowledged(count: number): Acknowledgements {
  const all = new Acknowledgements();
  for (let number = 0; number < count; number += 1) {
    all.take({ lane: "a", number, shardId: SHARD, sequenceNumber: String(100 + number) });
  }
  return all;
}

function reportOf(records: readonly ReadRecord[], count: number) {
  const tally = new Tally();
  for (const record of records) tally.take(record);
  return tally.report(acknowledged(count));
}

const WHOLE = [readRecord("a", 0, 100), readRecord("a", 1, 101), readRecord("a", 2, 102)];

describe("a numbered record", () => {
  it("gives its number back, and none when a bit of it changed", () => {
    const { data } = numberedRecord("a", 70_000, 100);
    expect(numberIn(data)).toBe(70_000);
    for (const at of [0, 5, 8, 107]) {
      const torn = data.slice();
      torn[at] = (torn[at] ?? 0) ^ 1;
      expect(numberIn(torn)).toBeUndefined();
    }
    expect(numberIn(data.subarray(0, 7))).toBeUndefined();
  });
});

describe("the tally", () => {
  it("finds nothing where all is there, once and in order", () => {
    expect(reportOf(WHOLE, 3)).toEqual({ read: 3, lost: 0, twice: 0, misplaced: 0, torn: 0 });
  });

  it("counts what is lost, at the end too", () => {
    expect(reportOf(WHOLE.slice(1), 3)).toMatchObject({ lost: 1, misplaced: 0 });
    expect(reportOf(WHOLE.slice(0, 1), 3)).toMatchObject({ lost: 2 });
  });

  it("counts what is there twice, also under another sequence number", () => {
    expect(reportOf([...WHOLE, readRecord("a", 1, 103)], 3)).toMatchObject({ lost: 0, twice: 1 });
    expect(reportOf([...WHOLE, ...WHOLE], 3)).toMatchObject({ twice: 3, misplaced: 0 });
  });

  it("counts what is out of order, and what is not where it was acknowledged", () => {
    const [zero, one, two] = WHOLE as [ReadRecord, ReadRecord, ReadRecord];
    expect(reportOf([one, zero, two], 3)).toMatchObject({ misplaced: 1 });
    expect(reportOf([zero, one, readRecord("a", 2, 105)], 3)).toMatchObject({ misplaced: 1 });
  });

  it("counts what is torn, which is then lost as well", () => {
    const [zero, one, two] = WHOLE as [ReadRecord, ReadRecord, ReadRecord];
    const data = two.data.slice();
    data[12] = (data[12] ?? 0) ^ 4;
    expect(reportOf([zero, one, { ...two, data }], 3)).toMatchObject({ torn: 1, lost: 1 });
  });
});

describe("the trace of a run", () => {
  it("tells the longest time without an acknowledgement, counts around the first fault, and bins", () => {
    let nowMs = 1000;
    const trace = new Trace(() => nowMs);
    for (const [atMs, records] of [
      [1000, 1],
      [1100, 2],
      [1500, 3],
      [1550, 4],
    ] as const) {
      nowMs = atMs;
      if (atMs === 1500) expect(trace.mark("done", "a fault")).toBe(500);
      trace.answered(records);
    }
    nowMs = 1600;
    trace.end();
    nowMs = 9000;
    expect(trace.lastedMs).toBe(600);
    expect(trace.longestGap).toEqual({ fromMs: 100, untilMs: 500 });
    expect(trace.firstFaultMs).toBe(500);
    expect(trace.acknowledgedBefore(500)).toBe(3);
    expect(trace.acknowledged).toBe(10);
    expect(trace.bins(3)).toEqual([3, 0, 7]);
  });

  it("does not take for an outage what was before the first fault", () => {
    let nowMs = 0;
    const trace = new Trace(() => nowMs);
    trace.answered(1);
    nowMs = 900;
    trace.answered(1);
    nowMs = 950;
    trace.mark("told", "something");
    trace.mark("done", "a fault");
    nowMs = 1000;
    trace.answered(1);
    expect(trace.longestGap).toEqual({ fromMs: 900, untilMs: 1000 });
  });

  it("has no longest gap before there are two acknowledgements", () => {
    const trace = new Trace(() => 0);
    trace.answered(1);
    expect(trace.longestGap).toBeUndefined();
    expect(trace.firstFaultMs).toBeUndefined();
  });
});

describe("the producer of a run", () => {
  it("has every acknowledged record read back, once and in order, from a real engine", async () => {
    const millrace = await open({ name: "bench", storage: "memory" });
    const stream = await millrace.streams.create("run", { shards: 2 });
    const acknowledgements = new Acknowledgements();
    const trace = new Trace(() => performance.now());
    const producer = new BenchProducer({ stream, acknowledgements, trace });
    producer.start();
    await expect.poll(() => acknowledgements.count, { timeout: 20_000 }).toBeGreaterThan(100);
    await producer.stop();
    const records: StreamRecord[] = [];
    const tally = new Tally();
    for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
      tally.take(record);
      records.push(record);
    }
    expect(trace.acknowledged).toBe(acknowledgements.count);
    const { count } = acknowledgements;
    const whole = { read: count, lost: 0, twice: 0, misplaced: 0, torn: 0 };
    expect(tally.report(acknowledgements)).toEqual(whole);
    expect(tally.missing(acknowledgements)).toBe(0);
    // The same reading without one of its records.
    const short = new Tally();
    for (const record of records.slice(1)) short.take(record);
    expect(short.missing(acknowledgements)).toBe(1);
    await millrace.close();
  });

  it("tells whoever stops it what a put failed with", async () => {
    const millrace = await open({ name: "bench", storage: "memory" });
    const stream = await millrace.streams.create("run", { shards: 1 });
    await millrace.streams.delete("run");
    const parts = { acknowledgements: new Acknowledgements(), trace: new Trace(() => 0) };
    const producer = new BenchProducer({ stream, ...parts });
    producer.start();
    await expect(producer.stop()).rejects.toMatchObject({ code: "ResourceNotFoundException" });
    await millrace.close();
  });
});

describe("the words of the Faults place", () => {
  const whole = { read: 30, lost: 0, twice: 0, misplaced: 0, torn: 0 };
  const run: RunResult = {
    ...{ fault: "crash", heading: "Crash the worker", beganMs: 0, times: 3, wasHidden: false },
    ...{ acknowledgedBefore: 10, acknowledgedAfter: 20, outageMs: 1240, readBack: whole },
    live: whole,
    told: [
      { kind: "leader-changed", text: "" },
      { kind: "leader-changed", text: "" },
      { kind: "storage-full", text: "" },
    ],
    trace: new Trace(() => 0),
  };

  it("say that nothing was lost where nothing was", () => {
    expect(verdictOf(run)).toEqual({ state: "good", text: "Nothing lost, nothing twice" });
    expect(spokenResult(run)).toBe(
      "Crash the worker: Nothing lost, nothing twice of 30 records acknowledged; longest outage 1.2 s.",
    );
    expect(toldByKind(run)).toBe("leader-changed 2 times, storage-full 1 time");
    expect(toldByKind({ ...run, told: [] })).toBe("nothing");
  });

  it("say what was not as it should be", () => {
    const readBack = { read: 31, lost: 1, twice: 2, misplaced: 3, torn: 0 };
    expect(flawsOf({ ...run, readBack })).toEqual([
      "1 record lost",
      "2 records twice",
      "3 records misplaced",
    ]);
    expect(flawsOf({ ...run, readBack: { ...whole, read: 32 } })).toEqual([
      "2 records that nobody was told of",
    ]);
    expect(flawsOf({ ...run, live: { ...whole, lost: 4, twice: 1 } })).toEqual([
      "4 records missed by the live reader",
      "1 record read live twice, misplaced or torn",
    ]);
    expect(verdictOf({ ...run, readBack }).state).toBe("hot");
  });

  it("name the worker that leads", () => {
    const event = { kind: "leader-changed", atMs: 0, epoch: 4 } as const;
    expect(toldText({ ...event, here: true })).toBe("Worker A leads from now on, epoch 4");
    expect(toldText({ ...event, here: false })).toBe("Worker B leads from now on, epoch 4");
    expect(toldText({ kind: "storage-full", atMs: 0, full: false })).toContain("room again");
  });
});
