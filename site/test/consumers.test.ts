/** The work of the site's workers against a real engine, and groups in words. */
import {
  type ConsumerGroup,
  type GroupDescription,
  type Millrace,
  open,
  type Stream,
} from "millrace";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Crew } from "../src/consumers/crew.ts";
import { type GroupReading, GroupsMeter } from "../src/consumers/groups-meter.ts";
import {
  checkpointText,
  groupMark,
  groupSummary,
  iteratorAgeOf,
  lagOf,
} from "../src/consumers/words.ts";

/** A busy machine takes its time to load an engine for the first time. */
const OPENING_MS = 30_000;
const SHARDS = 2;
let engines = 0;
let millrace: Millrace;
let stream: Stream;
let group: ConsumerGroup;
let crew: Crew;

beforeEach(async () => {
  engines += 1;
  millrace = await open({ name: `site-consumers-${engines}`, storage: "memory" });
  stream = await millrace.streams.create("numbers", { shards: SHARDS });
  group = await stream.group("readers", { from: "TRIM_HORIZON" });
  crew = Crew.of(millrace);
}, OPENING_MS);

afterEach(async () => {
  await millrace.close();
});

async function put(count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, i) => ({
    partitionKey: `key-${i}`,
    data: crypto.randomUUID(),
  }));
  expect((await stream.putRecords(records)).failedRecordCount).toBe(0);
}

/** Records that the checkpoints count, over all shards that this tab has had. */
async function counted(): Promise<number> {
  const { leases } = await group.describe();
  const tally = crew.tally(group);
  return leases.reduce((sum, { shardId }) => sum + (tally.shard(shardId)?.counted.records ?? 0), 0);
}

async function until(condition: () => unknown): Promise<void> {
  await vi.waitFor(
    async () => {
      if (!(await condition())) throw new Error(`still not so: ${condition}`);
    },
    { timeout: 20_000, interval: 20 },
  );
}

const owned = async (): Promise<number> =>
  (await group.describe()).leases.filter(({ owner }) => owner !== null).length;

describe("workers of this tab", () => {
  it.each(["polling", "fan-out"] as const)("count every record once, %s", async (reads) => {
    await put(300);
    crew.start(group, reads);
    crew.start(group, reads);
    await until(async () => (await counted()) === 300);
    const workers = crew.workers(group);
    expect(workers.map(({ state }) => state)).toEqual(["working", "working"]);
    expect(workers.reduce((sum, { processed }) => sum + processed, 0)).toBe(300);
    expect(crew.tally(group).processed).toBe(300);
    for (const { workerId } of workers) await crew.stop(group, workerId);
    expect(crew.workers(group).map(({ state }) => state)).toEqual(["stopped", "stopped"]);
    expect((await group.describe()).workers).toEqual([]);
  });

  it("lose nothing when one is killed in mid-batch: what it had comes again, counted once", async () => {
    await put(200);
    crew.set(group, { msPerRecord: 50 });
    const first = crew.start(group, "polling");
    const inHand = (): number =>
      ["shardId-000000000000", "shardId-000000000001"].reduce(
        (sum, shardId) => sum + (crew.tally(group).shard(shardId)?.inHand ?? 0),
        0,
      );
    await until(() => inHand() > 0);
    const dropped = inHand();
    await crew.kill(group, first.workerId);
    expect(crew.workers(group)[0]).toMatchObject({ state: "killed", processed: 0 });
    expect(await owned()).toBe(0);
    crew.set(group, { msPerRecord: 0 });
    crew.start(group, "polling");
    await until(async () => (await counted()) === 200);
    expect(crew.tally(group).again).toBe(dropped);
    crew.dismiss(group, first.workerId);
    expect(crew.workers(group)).toHaveLength(1);
  });

  it("throw when they are told to, and go on when they are not", async () => {
    await put(50);
    crew.set(group, { throwing: true });
    crew.start(group, "polling");
    await until(() => (crew.workers(group)[0]?.failures ?? 0) > 0);
    expect(crew.events(group.name).some(({ text }) => text.includes("set to throw"))).toBe(true);
    expect(await counted()).toBe(0);
    crew.set(group, { throwing: false });
    await until(async () => (await counted()) === 50);
  });

  it("count from nothing again after a replay", async () => {
    await put(40);
    crew.start(group, "polling");
    await until(async () => (await counted()) === 40);
    await group.reset("TRIM_HORIZON", { force: true });
    await until(() => crew.tally(group).again === 40);
    await until(async () => (await counted()) === 40);
    expect(crew.tally(group).processed).toBe(80);
  });

  it("say when their group was deleted", async () => {
    crew.start(group, "polling");
    await until(async () => (await owned()) === SHARDS);
    await group.delete();
    await until(() => crew.workers(group)[0]?.state === "failed");
    expect(crew.workers(group)[0]?.error?.code).toBe("ResourceNotFoundException");
  });

  it("are not those of a later group of the same name", async () => {
    crew.start(group, "polling");
    await until(() => Date.now() > group.definition.createdMs);
    await group.delete();
    const later = await stream.group("readers", { from: "TRIM_HORIZON" });
    expect(crew.workers(later)).toEqual([]);
    const [reading] = await new GroupsMeter().read(millrace);
    expect(reading?.description.definition.createdMs).toBe(later.definition.createdMs);
  });
});

describe("groups at a reading", () => {
  const read = async (meter: GroupsMeter): Promise<GroupReading | undefined> =>
    (await meter.read(millrace))[0];

  it("come and go, each with its own progress", async () => {
    const meter = new GroupsMeter();
    await put(100);
    await stream.group("others", { from: "LATEST" });
    const names = (await meter.read(millrace)).map((one) => one.group.name);
    expect(names).toEqual(["others", "readers"]);
    const lags = (await meter.read(millrace)).map(({ description }) => lagOf(description));
    expect(lags).toEqual([0, 100]);
    await (await millrace.groups.get("others")).delete();
    expect(await meter.read(millrace)).toHaveLength(1);
  });

  it("are put in words", async () => {
    await put(10);
    const meter = new GroupsMeter();
    const idle = (await read(meter))?.description as GroupDescription;
    expect(groupMark(idle)).toEqual({ state: "warn", text: "Nobody works" });
    expect(idle.leases.map(({ checkpoint }) => checkpointText(checkpoint))).toEqual([
      "TRIM_HORIZON",
      "TRIM_HORIZON",
    ]);
    crew.start(group, "polling");
    await until(async () => (await counted()) === 10);
    const busy = (await read(meter))?.description as GroupDescription;
    expect(groupMark(busy)).toEqual({ state: "good", text: "At work" });
    expect([lagOf(busy), iteratorAgeOf(busy)]).toEqual([0, 0]);
    expect(groupSummary(busy)).toBe(
      "Group readers: 2 of 2 leases owned by 1 worker, 0 records behind.",
    );
    expect(checkpointText({ sequenceNumber: "4".repeat(56), subSequenceNumber: 3 })).toBe(
      "444444…444444444444 / 3",
    );
  });
});
