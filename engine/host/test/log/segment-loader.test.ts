/** Segments on their way back into memory: what the directory says of them, and what becomes of them meanwhile. */
import { describe, expect, it } from "vitest";
import { StreamKeys } from "../../src/keys/stream-keys.ts";
import type { LogContext } from "../../src/log/log-context.ts";
import { recover } from "../../src/log/recovery.ts";
import { SegmentLoader } from "../../src/log/segment-loader.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { SegmentKey } from "../../src/storage/log-store.ts";
import { newCore } from "../support/engines.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";

/** A log whose one segment is in the store only. */
async function sealed(encrypted: boolean): Promise<VirtualPlatform> {
  const platform = virtualPlatform();
  const log = await TestLog.open(platform);
  const { uid } = await log.createStream("clicks", 1);
  if (encrypted) {
    const keys = new StreamKeys(log.log, await platform.vaults.open("test"));
    const dataKeyId = await keys.create();
    const encryption = { masterKeyId: "a key", keyName: "alias/a", dataKeyId };
    await log.log.change(keys.starting(uid, encryption, 0));
  }
  await log.put(someRecords(20));
  await log.log.checkpoint();
  await log.log.close();
  return platform.restart();
}

async function recovered(platform: VirtualPlatform): Promise<{
  readonly context: LogContext;
  readonly slot: number;
  readonly key: SegmentKey;
}> {
  const context = await recover({
    ...{ name: "test", core: await newCore(), store: await platform.stores.open("test") },
    ...{ clock: platform.clock, random: platform.random, writeQuotas: false },
    vault: await platform.vaults.open("test"),
    limits: { frameBytesSoft: 1_048_576, walBytesMax: 1_048_576, dirtyBytesMax: 1_048_576 },
  });
  const [key] = context.directory.all();
  const slot = context.slots.ofUid(key?.[0] ?? 0)?.slot;
  if (key === undefined || slot === undefined) throw new Error("there is no segment");
  return { context, slot, key };
}

describe("a segment that is loaded", () => {
  for (const encrypted of [false, true]) {
    const kind = encrypted ? "encrypted" : "plain";

    it(`counts as long as it is in the store (${kind})`, async () => {
      const { context, slot, key } = await recovered(await sealed(encrypted));
      const before = context.directory.byteLength;
      expect(before).toBeGreaterThan(0);
      await new SegmentLoader(context).load(slot, key);
      expect(context.core.locate(slot, key[2], 100, 1_000_000).kind).toBe("records");
      expect(context.directory.byteLength).toBe(before);
    });

    it(`is left where it is when it was dropped meanwhile (${kind})`, async () => {
      const { context, slot, key } = await recovered(await sealed(encrypted));
      const loading = new SegmentLoader(context).load(slot, key);
      context.directory.trimThrough(key[0], key[1]);
      await loading;
      expect(context.directory.byteLength).toBe(0);
      expect(context.core.locate(slot, key[2], 100, 1_000_000).kind).not.toBe("records");
    });
  }
});
