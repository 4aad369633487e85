/** Segments that are gone while the WAL still holds their records: these are served, and kept for as long. */
import { describe, expect, it } from "vitest";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { SegmentKey } from "../../src/storage/log-store.ts";
import type { MemoryDisk } from "../../src/storage/memory-disk.ts";
import { encrypt, numbers, range, reopened } from "../support/encrypted-logs.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";

/** A log with sealed segments, whose records are in the WAL as well: one frame per record. */
async function sealedLog(platform: VirtualPlatform, encrypted: boolean): Promise<void> {
  const log = await TestLog.open(platform);
  await log.createStream();
  if (encrypted) await encrypt(log);
  for (let i = 0; i < 30; i++) await log.put(someRecords(1, 10_000, i));
  for (let i = 0; platform.stores.disk("test").segmentKeys().length < 1 && i < 100; i++) {
    await platform.clock.advance(10);
  }
  await log.log.close();
}

/** A disk with such a log, one segment of which something befell. */
async function damagedDisk(
  platform: VirtualPlatform,
  encrypted: boolean,
  damage: (image: Uint8Array | undefined) => Uint8Array | undefined,
): Promise<{ readonly disk: MemoryDisk; readonly damaged: SegmentKey }> {
  await sealedLog(platform, encrypted);
  const disk = platform.stores.disk("test");
  const [damaged] = disk.segmentKeys();
  if (damaged === undefined) throw new Error("there is no segment");
  disk.overwriteSegment(damaged, damage(disk.readSegment(damaged)));
  return { disk, damaged };
}

const gone = (): undefined => undefined;

for (const encrypted of [false, true]) {
  describe(`a segment that is gone${encrypted ? ", of an encrypted stream" : ""}`, () => {
    it("is served from the WAL, by every later leader, checkpoints or not", async () => {
      const platform = virtualPlatform();
      const { disk, damaged } = await damagedDisk(platform, encrypted, gone);
      for (let opening = 0; opening < 3; opening++) {
        const log = await reopened(platform);
        expect(log.log.losses).toMatchObject([
          { kind: "segment", where: `shard uid 1, segment ${damaged[1]}` },
        ]);
        expect(await numbers(log)).toEqual(range(0, 30));
        await log.log.checkpoint();
        expect(await numbers(log)).toEqual(range(0, 30));
        await log.log.close();
      }
      expect(disk.frameNumbers().length).toBeLessThan(30);
    });

    it("keeps its frames when it is there and damaged", async () => {
      const platform = virtualPlatform();
      await damagedDisk(platform, encrypted, (image) => image?.fill(0xee, 20_000, 20_004));
      for (let opening = 0; opening < 2; opening++) {
        const log = await reopened(platform);
        expect(await numbers(log)).toEqual(range(0, 30));
        await log.log.checkpoint();
        expect(await numbers(log)).toEqual(range(0, 30));
        await log.log.close();
      }
    });

    it("lets its frames go once retention has dropped it", async () => {
      const platform = virtualPlatform();
      await damagedDisk(platform, encrypted, gone);
      const log = await reopened(platform);
      await log.log.checkpoint();
      const held = log.log.status().walBytes;
      await platform.clock.advance(25 * 3_600_000);
      await log.log.sweep();
      await log.log.checkpoint();
      expect(await numbers(log)).toEqual([]);
      expect(log.log.status().walBytes).toBeLessThan(held - 50_000);
      await log.log.close();
    });
  });
}
