/** Groups as loops, and what they refuse. */
import { type GroupBatch, InvalidArgumentError, ResourceInUseError, type Stream } from "millrace";
import { describe, expect, it } from "vitest";
import { failureOf, openEngine } from "../support.ts";
import { keep, Notes, put, sorted, textOf, texts, until } from "./support.ts";

async function opened(shards = 1): Promise<Stream> {
  const engine = await openEngine();
  return await engine.streams.create("clicks", { shards });
}

describe("a group as a loop", () => {
  it("gives all records, and checkpoints a batch when the next one is asked for", async () => {
    const stream = await opened(2);
    await put(stream, 0, 100);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const seen: string[] = [];
    const left: string[] = [];
    for await (const { records } of group.read({ batchRecordsMax: 10 })) {
      if (seen.length >= 60) {
        left.push(...records.map(textOf));
        break;
      }
      seen.push(...records.map(textOf));
    }
    const rest: string[] = [];
    for await (const batch of group.read()) {
      rest.push(...batch.records.map(textOf));
      if (seen.length + rest.length >= 100) break;
    }
    // The batch that the loop was left at comes again, and nothing else does.
    expect(sorted([...seen, ...rest])).toEqual(texts(0, 100));
    expect(rest).toEqual(expect.arrayContaining(left));
  });

  it("checkpoints nothing by itself when it is told so", async () => {
    const stream = await opened();
    await put(stream, 0, 30);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const options = { checkpoints: "manual", batchRecordsMax: 10 } as const;
    const batches: GroupBatch[] = [];
    for await (const batch of group.read(options)) {
      batches.push(batch);
      if (batches.length === 2) await batches[0]?.checkpoint();
      if (batches.length === 3) break;
    }
    const next = await group.read(options).next();
    // Its read began with the record that was checkpointed, which is left out.
    expect(next.value?.records.map(textOf)).toEqual(texts(10, 19));
  });

  it("ends with its signal, and with its worker", async () => {
    const stream = await opened();
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const leaving = new AbortController();
    const reading = group.read({ signal: leaving.signal });
    const next = failureOf(reading.next());
    const reason = new Error("enough");
    leaving.abort(reason);
    expect(await next).toBe(reason);
    await until(async () => (await group.describe()).workers.length === 0);
    const other = group.read();
    const end = other.next();
    await other.worker.stop();
    expect(await end).toEqual({ done: true, value: undefined });
  });
});

describe("a group", () => {
  it("is what the first call makes of it", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("clicks");
    const group = await stream.group("g", { from: "TRIM_HORIZON", failoverMs: 700 });
    const again = await stream.group("g", { from: new Date(5) });
    expect(again.definition).toEqual(group.definition);
    expect(again.definition).toMatchObject({ failoverMs: 700, streamName: "clicks" });
    const other = await engine.streams.create("other");
    expect(await failureOf(other.group("g"))).toBeInstanceOf(ResourceInUseError);
  });

  it("is set back to a position, one shard or all", async () => {
    const stream = await opened(2);
    await put(stream, 0, 100);
    const group = await stream.group("g", { from: "TRIM_HORIZON" });
    const notes = new Notes();
    const worker = keep(group.start(notes.factory));
    await until(() => notes.records.length === 100);
    expect(await failureOf(group.reset("TRIM_HORIZON"))).toBeInstanceOf(ResourceInUseError);
    await worker.stop();
    const shardId = "shardId-000000000001";
    await group.reset("TRIM_HORIZON", { shardId });
    const replayed = new Notes();
    const replaying = keep(group.start(replayed.factory));
    const expected = notes.records.filter((one) => one.shardId === shardId).map(textOf);
    await until(() => replayed.records.length === expected.length);
    await group.reset("TRIM_HORIZON", { force: true });
    await until(() => replayed.records.length === expected.length + 100);
    await replaying.stop();
    expect(replayed.texts.slice(0, expected.length)).toEqual(expected);
  });

  const factory = () => ({ processRecords: () => undefined });
  const table: [string, (stream: Stream) => Promise<unknown>][] = [
    ["name", (stream) => stream.group("no/name")],
    ["name", (stream) => stream.group("")],
    ["options.start", (stream) => stream.group("g", { start: "LATEST" } as never)],
    ["from", (stream) => stream.group("g", { from: "NOW" as never })],
    ["from", (stream) => stream.group("g", { from: { sequenceNumber: "1" } as never })],
    ["options.failoverMs", (stream) => stream.group("g", { failoverMs: 499 })],
    ["options.handOverMs", (stream) => stream.group("g", { handOverMs: 0.5 })],
    ["factory", async (stream) => (await stream.group("g")).start(5 as never)],
    ...[
      ["workerId", ""],
      ["leasesMax", 0],
      ["batchRecordsMax", 10_001],
      ["reads", "push"],
      ["checkpoints", "never"],
      ["checkpointIntervalMs", -1],
      ["attemptsMax", 0],
      ["retryMs", Number.NaN],
      ["processMsMax", "1"],
      ["signal", {}],
      ["workers", 2],
    ].map(([member, value]): [string, (stream: Stream) => Promise<unknown>] => [
      `options.${member}`,
      async (stream) => (await stream.group("g")).start(factory, { [`${member}`]: value }),
    ]),
    [
      "options.attemptsMax",
      async (stream) =>
        (await stream.group("g")).start(factory, { deadLetter: { streamName: "d" } }),
    ],
    [
      "options.attemptsMax",
      async (stream) => (await stream.group("g")).read({ attemptsMax: 2 } as never),
    ],
    ["from", async (stream) => await (await stream.group("g")).reset("END" as never)],
    [
      "options.force",
      async (stream) => await (await stream.group("g")).reset("LATEST", { force: 1 as never }),
    ],
  ];
  it.each(table)("refuses a wrong %s", async (argument, act) => {
    const failure = await failureOf(act(await opened()));
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure).toMatchObject({ argument });
  });
});
