/** What is set on an engine as a whole: time, faults, the trail, metrics. */
import { ConnectionDroppedError, InvalidArgumentError, ThroughputExceededError } from "millrace";
import { describe, expect, it } from "vitest";
import { failureOf, openEngine, readAll } from "./support.ts";

describe("time", () => {
  it("is the machine's, and not to be moved", async () => {
    const { time } = await openEngine();
    const before = Date.now();
    const now = await time.now();
    expect(now).toBeGreaterThanOrEqual(before);
    expect(now).toBeLessThanOrEqual(Date.now());
    expect(await failureOf(time.advance(1000))).toBeInstanceOf(InvalidArgumentError);
  });

  it("stands still when it is virtual, until it is advanced", async () => {
    const { streams, time } = await openEngine({ time: "virtual" });
    const startMs = await time.now();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await time.now()).toBe(startMs);
    const stream = await streams.create("clicks");
    await stream.putRecord({ partitionKey: "a", data: "early" });
    expect(await time.advance(3_600_000)).toBe(startMs + 3_600_000);
    await stream.putRecord({ partitionKey: "a", data: "late" });
    const arrivals = (await readAll(stream)).map(({ arrivalMs }) => arrivalMs - startMs);
    expect(arrivals).toEqual([0, 3_600_000]);
  });

  it("passes for streams that are being made", async () => {
    const { streams, time } = await openEngine({ time: "virtual", transitionMs: 500 });
    const stream = await streams.create("clicks");
    expect(stream.description.status).toBe("CREATING");
    await time.advance(500);
    expect((await stream.describe()).status).toBe("ACTIVE");
  });

  it.each([
    { time: "later" },
    { transitionMs: -1 },
    { transitionMs: 60_001 },
    { controlQuotas: "yes" },
  ])("options such as %o are refused", async (options) => {
    const error = await failureOf(openEngine(options as never));
    expect(error).toBeInstanceOf(InvalidArgumentError);
    expect(error).toMatchObject({ argument: Object.keys(options)[0] });
  });
});

describe("faults", () => {
  it("befall what they choose, as often as they say", async () => {
    const { faults, streams } = await openEngine();
    const stream = await streams.create("clicks");
    const effect = { kind: "error", code: "ProvisionedThroughputExceededException" } as const;
    await faults.set([{ operation: "PutRecords", stream: "clicks", effect, times: 1 }]);
    expect(await faults.list()).toEqual([
      { operation: "PutRecords", stream: "clicks", effect, times: 1 },
    ]);
    const record = { partitionKey: "a", data: "x" };
    expect(await failureOf(stream.putRecord(record))).toBeInstanceOf(ThroughputExceededError);
    await stream.putRecord(record);
    expect((await readAll(stream)).length).toBe(1);
  });

  it("drop connections, and end when they are cleared", async () => {
    const { faults, streams } = await openEngine();
    const stream = await streams.create("clicks");
    const effect = { kind: "dropped-connection", when: "before" } as const;
    await faults.set([{ operation: "PutRecords", effect }]);
    const record = { partitionKey: "a", data: "x" };
    expect(await failureOf(stream.putRecord(record))).toBeInstanceOf(ConnectionDroppedError);
    await faults.clear();
    expect(await faults.list()).toEqual([]);
    await stream.putRecord(record);
  });

  it("are refused when they make no sense", async () => {
    const { faults } = await openEngine();
    const rule = { probability: 2, effect: { kind: "delay", delayMs: 1 } } as const;
    expect(await failureOf(faults.set([rule]))).toBeInstanceOf(InvalidArgumentError);
  });
});

describe("the trail", () => {
  it("records calls until it is stopped", async () => {
    const { streams, trail, time } = await openEngine({ time: "virtual" });
    const log = await streams.create("trail");
    const stream = await streams.create("clicks");
    await trail.start("trail");
    await stream.scale(2);
    await stream.putRecord({ partitionKey: "a", data: "secret" });
    await trail.stop();
    await stream.retain(48);
    await time.advance(1000);
    const events = (await readAll(log)).map((record) => record.json<{ eventName: string }>());
    const names = events.map(({ eventName }) => eventName);
    expect(names).toContain("UpdateShardCount");
    expect(names).toContain("PutRecords");
    expect(names).not.toContain("IncreaseStreamRetentionPeriod");
    expect(JSON.stringify(events)).not.toContain("secret");
  });
});

describe("metrics", () => {
  it("are counters of shards, or CloudWatch's by name and minute", async () => {
    const { streams, time } = await openEngine({ time: "virtual" });
    const stream = await streams.create("clicks");
    await stream.putRecords(
      Array.from({ length: 7 }, () => ({ partitionKey: "a", data: "0123456789" })),
    );
    expect(await stream.metrics()).toMatchObject([{ shardIndex: 0, incomingRecords: 7 }]);
    const [minute, ...more] = await stream.metrics("IncomingRecords");
    expect([minute?.sum, more]).toEqual([7, []]);
    expect(minute?.timestampMs).toBe(Math.floor((await time.now()) / 60_000) * 60_000);
    await time.advance(600_000);
    const start = new Date((await time.now()) - 60_000);
    expect(await stream.metrics("IncomingRecords", { start })).toEqual([]);
    expect(await failureOf(stream.metrics("NoSuchMetric"))).toBeInstanceOf(InvalidArgumentError);
    expect(
      await failureOf(stream.metrics("IncomingBytes", { start: new Date(Number.NaN) })),
    ).toMatchObject({ argument: "start" });
  });
});
