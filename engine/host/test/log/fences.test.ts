/** Fences are kept for ever: an opening must not grow with their number. */
import { describe, expect, it } from "vitest";
import { fenceListSection, readFenceList } from "../../src/log/fence-list.ts";
import { fenceSection } from "../../src/log/sections.ts";
import { decodeFrame, encodeFrame } from "../../src/log/wal-frame.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { FaultPlan } from "../../src/storage/fault-plan.ts";
import { newCore, numberOf, someRecords } from "../support/engines.ts";
import { TestLog } from "../support/logs.ts";

/** Adds fences as leaders that did nothing would have left them. */
async function addFences(platform: VirtualPlatform, count: number): Promise<void> {
  const disk = platform.stores.disk("test");
  const core = await newCore();
  const newest = disk.frameNumbers().at(-1) ?? 0;
  const last = decodeFrame(core, disk.readFrame(newest) ?? new Uint8Array(0));
  if ("damaged" in last) throw new Error(last.damaged);
  let previousHash = last.hash;
  const first = decodeFrame(core, disk.readFrame(1) ?? new Uint8Array(0));
  if ("damaged" in first) throw new Error(first.damaged);
  const text = new TextDecoder().decode(first.sections[0]?.payload);
  const { incarnation } = JSON.parse(text) as { incarnation: string };
  for (let i = 1; i <= count; i++) {
    const leaderId = i.toString(16).padStart(32, "0");
    const frame = encodeFrame(
      core,
      { epoch: last.epoch + i, frameNumber: newest + i, previousHash, timeMs: last.timeMs },
      [fenceSection({ leaderId, incarnation })],
    );
    previousHash = frame.hash;
    disk.addFrame(newest + i, frame.bytes, "strict");
  }
}

describe("a list of fences", () => {
  it("is read as it was written, up to where a difference does not fit", async () => {
    const core = await newCore();
    const fences = [1, 2, 900, 4_000_000_000, 8_000_000_000].map((frameNumber) => ({
      frameNumber,
      byteLength: frameNumber % 1000,
    }));
    const header = { epoch: 1, frameNumber: 1, previousHash: 0n, timeMs: 0 };
    const far = { frameNumber: 2 ** 40, byteLength: 1 };
    const frame = encodeFrame(core, header, [fenceListSection([...fences, far])]);
    const decoded = decodeFrame(core, frame.bytes);
    if ("damaged" in decoded) throw new Error(decoded.damaged);
    const [section] = decoded.sections;
    expect(section?.critical).toBe(false);
    expect(section === undefined ? [] : readFenceList(section)).toEqual(fences);
  });
});

describe("an opening", () => {
  it("after 2,000 others keeps every fence, and reads none that a snapshot lists", async () => {
    const platform = virtualPlatform();
    const first = await TestLog.open(platform);
    await first.createStream();
    await first.put(someRecords(10));
    await first.log.close();
    await addFences(platform, 2000);
    const second = await TestLog.open(platform.restart());
    expect(second.log.losses).toEqual([]);
    const incarnation = second.log.status().incarnation;
    await second.put(someRecords(10, 100, 10));
    await second.log.checkpoint();
    await second.put(someRecords(10, 100, 20));
    await second.log.close();
    const disk = platform.stores.disk("test");
    const frames = disk.frameNumbers().length;
    expect(frames).toBeGreaterThan(2000);
    const machine = platform.restart();
    machine.stores.faults = new FaultPlan();
    const third = await TestLog.open(machine);
    expect(third.log.losses).toEqual([]);
    expect(third.log.status()).toMatchObject({ incarnation, walFrames: frames + 1 });
    expect(third.log.status().walBytes).toBe(
      disk.frameNumbers().reduce((sum, n) => sum + (disk.readFrame(n)?.byteLength ?? 0), 0),
    );
    const reads = machine.stores.faults.operations.filter((one) => one.startsWith("readFrame"));
    expect(reads.length).toBeLessThan(20);
    expect((await third.readAll()).records.map(numberOf)).toHaveLength(30);
    await third.log.checkpoint();
    expect(third.log.status().walFrames).toBeGreaterThan(2000);
    await third.log.close();
  });

  it("has more than 256 of them listed by itself", async () => {
    const platform = virtualPlatform();
    const first = await TestLog.open(platform);
    await first.log.close();
    await addFences(platform, 300);
    const second = await TestLog.open(platform.restart());
    await second.log.close();
    const machine = platform.restart();
    machine.stores.faults = new FaultPlan();
    const third = await TestLog.open(machine);
    const reads = machine.stores.faults.operations.filter((one) => one.startsWith("readFrame"));
    expect(reads.length).toBeLessThan(12);
    expect(third.log.losses).toEqual([]);
    await third.log.close();
  });

  it("reads them all when no copy of the list can be used", async () => {
    const platform = virtualPlatform();
    const first = await TestLog.open(platform);
    await first.createStream();
    await first.log.close();
    await addFences(platform, 100);
    const second = await TestLog.open(platform.restart());
    await second.put(someRecords(10));
    await second.log.close();
    const third = await TestLog.open(platform.restart());
    expect(third.log.losses).toEqual([]);
    expect((await third.readAll()).records).toHaveLength(10);
    await third.log.close();
  });
});

describe("a fence", () => {
  it("gets in behind a leader that writes on while its frames are read", async () => {
    const platform = virtualPlatform();
    const first = await TestLog.open(platform);
    await first.createStream();
    await first.put(someRecords(10));
    await first.log.close();
    const core = await newCore();
    const disk = platform.stores.disk("test");
    let written = 0;
    /** The deposed leader's next frame, of its own epoch. */
    const writeOn = (): void => {
      const newest = disk.frameNumbers().at(-1) ?? 0;
      const last = decodeFrame(core, disk.readFrame(newest) ?? new Uint8Array(0));
      if ("damaged" in last) throw new Error(last.damaged);
      if (last.epoch > 1) return;
      const place = { epoch: 1, frameNumber: newest + 1, previousHash: last.hash };
      disk.addFrame(
        newest + 1,
        encodeFrame(core, { ...place, timeMs: last.timeMs }, []).bytes,
        "strict",
      );
      written += 1;
    };
    const machine = platform.restart();
    const open = machine.stores.open.bind(machine.stores);
    machine.stores.open = async (name) => {
      const store = await open(name);
      const frameNumbers = store.frameNumbers.bind(store);
      // As long as a reading takes, frames are added: whoever reads all of them is never at the end.
      store.frameNumbers = async () => {
        const numbers = await frameNumbers();
        writeOn();
        return numbers;
      };
      return store;
    };
    const second = await TestLog.open(machine);
    expect(written).toBeGreaterThan(0);
    expect(second.log.status().epoch).toBe(2);
    expect(second.log.losses).toEqual([]);
    expect((await second.readAll()).records.map(numberOf)).toHaveLength(10);
    await second.log.close();
    const epochs = disk.frameNumbers().map((frameNumber) => {
      const frame = decodeFrame(core, disk.readFrame(frameNumber) ?? new Uint8Array(0));
      return "damaged" in frame ? 0 : frame.epoch;
    });
    expect(epochs).toEqual([...epochs].sort((left, right) => left - right));
  });
});
