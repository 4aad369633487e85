/** How far behind a group is: counted in records, although every takeover leaves a gap of sequence indexes. */
import { afterEach, describe, expect, it } from "vitest";
import { countRecords } from "../../src/log/record-count.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { someRecords, TestEngine } from "../support/engines.ts";
import { at, createGroup, TestWorker } from "../support/groups.ts";

const MINUTE_MS = 60_000;
const opened: TestEngine[] = [];
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.service.close();
});

async function open(platform: ReturnType<typeof virtualPlatform>): Promise<TestEngine> {
  const engine = await TestEngine.open(platform);
  opened.push(engine);
  return engine;
}

async function lagOf(engine: TestEngine): Promise<number> {
  const { leases } = await engine.service.call("groupsDescribe", { name: "group" });
  return leases.reduce((sum, { lagRecords }) => sum + lagRecords, 0);
}

describe("the lag of a lease", () => {
  it("counts records of several lives of the log, and not what lies between them", async () => {
    const platform = virtualPlatform();
    let engine = await open(platform);
    const stream = await engine.createStream("clicks");
    await createGroup(engine.service, stream);
    for (let life = 1; life <= 3; life += 1) {
      await engine.put(stream, someRecords(10));
      expect(await lagOf(engine)).toBe(10 * life);
      await platform.clock.advance(MINUTE_MS);
      await engine.service.close();
      engine = await open(platform);
      expect(await lagOf(engine)).toBe(10 * life);
    }
    const worker = await TestWorker.join(engine.service, "group", "one");
    await worker.poll(0);
    await worker.poll(0, 0);
    await worker.commit(worker.commitOf(0, at(5)));
    expect(await lagOf(engine)).toBe(25);
  });
});

describe("counting records", () => {
  const FAR = 1_000_000_000;
  const shard = { slot: 0, uid: 7 } as never;
  /** Segments by their first index, of ten records each; those of `cached` are in memory. */
  const logOf = (firsts: readonly number[], cached: readonly number[], facts = true) => {
    const key = (first: number | undefined) =>
      first === undefined ? undefined : ([7, 0, first, 0, 0, 1] as const);
    return {
      core: {
        position: () => ({ durableIndex: (firsts.at(-1) ?? 0) + 10 }) as never,
        locate: (_: number, index: number) => {
          const first = cached.find((one) => one + 10 > index);
          if (first === undefined || first > index) {
            return { kind: "absent", cachedFrom: first ?? (firsts.at(-1) ?? 0) + 10 } as const;
          }
          const nextIndex = first + 10;
          const nothing = { address: 0, byteLength: 0, lastMs: 0 };
          return {
            kind: "records",
            ...nothing,
            recordCount: nextIndex - index,
            nextIndex,
          } as const;
        },
      },
      directory: {
        covering: (_: number, index: number) => key(firsts.findLast((first) => first <= index)),
        after: (_: number, index: number) => key(firsts.find((first) => first > index)),
        factsOf: (segment: readonly number[]) =>
          facts ? ([100, 10, (segment[2] ?? 0) + 9] as const) : undefined,
      },
    } as Parameters<typeof countRecords>[0];
  };

  it.each([
    ["all in memory", [0, FAR, 2 * FAR], [0, FAR, 2 * FAR], 4, 26],
    ["the oldest in the store", [0, FAR, 2 * FAR], [2 * FAR], 4, 26],
    ["one between two in the store", [0, FAR, 2 * FAR], [0, 2 * FAR], 0, 30],
    ["all in the store", [0, FAR], [], 9, 11],
    ["from a gap on", [0, FAR, 2 * FAR], [2 * FAR], 500, 20],
    ["nothing behind", [0, FAR], [FAR], FAR + 10, 0],
  ])("%s", (_, firsts, cached, from, expected) => {
    expect(countRecords(logOf(firsts, cached), shard, from)).toBe(expected);
  });

  it("passes over segments of which nothing is known", () => {
    expect(countRecords(logOf([0, FAR], [FAR], false), shard, 0)).toBe(10);
  });

  it("takes a short way for granted", () => {
    expect(countRecords(logOf([0, 500], [500]), shard, 0)).toBe(510);
  });
});
