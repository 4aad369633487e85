/** Where frames are cut, by how long commits take. */
import { describe, expect, it } from "vitest";
import { CommitPace, SMALL_FRAME_BYTES } from "../../src/log/commit-pace.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";

const MIDDLE = 262_144;
const WAITING = 2 * SMALL_FRAME_BYTES;

function pace(smallMs: number, middleMs: number): CommitPace {
  const made = new CommitPace();
  for (let i = 0; i < 40; i++) {
    made.note(4096, smallMs);
    made.note(MIDDLE, middleMs);
  }
  return made;
}

describe("the pace of commits", () => {
  it("says nothing before it has seen frames of both lengths", () => {
    const made = new CommitPace();
    expect(made.cutsSmall(WAITING)).toBe(false);
    made.note(4096, 20);
    expect(made.cutsSmall(WAITING)).toBe(false);
    made.note(MIDDLE, 62);
    expect(made.cutsSmall(WAITING)).toBe(true);
  });

  it("cuts small where a middle frame waits for a slow disk three times, and the queue is short", () => {
    expect(pace(20, 62).cutsSmall(WAITING)).toBe(true);
    expect(pace(20, 62).cutsSmall(4 * SMALL_FRAME_BYTES)).toBe(false);
  });

  it("does not where the disk is fast, or one wait does for both", () => {
    expect(pace(0.3, 1.3).cutsSmall(WAITING)).toBe(false);
    expect(pace(6, 7).cutsSmall(WAITING)).toBe(false);
  });

  it("lets a chance go now and then, so that it learns when middle frames become cheap", () => {
    const made = pace(20, 62);
    let cut = 0;
    for (let i = 0; i < 1000 && made.cutsSmall(WAITING); cut++) i += 1;
    expect(cut).toBeLessThan(40);
    for (let i = 0; i < 40; i++) made.note(MIDDLE, 21);
    expect(made.cutsSmall(WAITING)).toBe(false);
  });

  it("leaves frames that are larger than middle ones out: their transfer counts", () => {
    const made = new CommitPace();
    made.note(4096, 20);
    made.note(4_194_304, 90);
    expect(made.cutsSmall(WAITING)).toBe(false);
  });
});

/** Lets every commit take time, as a disk does that is waited for once, or three times for large frames. */
function slowDown(platform: VirtualPlatform, waitMs: number): number[] {
  const lengths: number[] = [];
  const store = platform.stores.opened.at(-1);
  if (store === undefined) throw new Error("no store is open");
  const append = store.appendFrame.bind(store);
  store.appendFrame = async (frameNumber, frame, durability) => {
    const copy = frame.slice();
    lengths.push(copy.byteLength);
    const waits = copy.byteLength < 65_536 ? 1 : 3;
    await new Promise<void>((resolve) => {
      platform.clock.after(waits * waitMs, resolve);
    });
    await append(frameNumber, copy, durability);
  };
  return lengths;
}

/** Puts batches of about 40 kB at once, behind one that is in flight; the lengths of their frames. */
async function frames(waitMs: number, batches: number): Promise<number[]> {
  const platform = virtualPlatform();
  const log = await TestLog.open(platform);
  await log.createStream();
  const lengths = slowDown(platform, waitMs);
  const settled = async (puts: readonly Promise<unknown>[]): Promise<void> => {
    const all = Promise.all(puts);
    for (let i = 0; i < 50; i++) await platform.clock.advance(waitMs);
    await all;
  };
  for (let i = 0; i < 4; i++) {
    await settled([log.put(someRecords(1, 1000))]);
    await settled([log.put(someRecords(3, 80_000))]);
  }
  lengths.length = 0;
  const puts = [log.put(someRecords(1, 100))];
  for (let i = 0; i < batches; i++) puts.push(log.put(someRecords(1, 40_000, i)));
  await settled(puts);
  await log.log.close();
  return lengths.slice(1);
}

describe("a log on a slow disk", () => {
  it("cuts a short queue into small frames, and writes a long one as a large one", async () => {
    const short = await frames(20, 3);
    expect(Math.max(...short)).toBeLessThan(65_536);
    expect(Math.max(...(await frames(20, 12)))).toBeGreaterThan(400_000);
  });

  it("writes as much as there is at once where the disk is fast", async () => {
    expect(Math.max(...(await frames(0.1, 3)))).toBeGreaterThan(100_000);
  });
});
