/** Checkpoints of large control states: how often they are made, and what they leave. */
import { describe, expect, it } from "vitest";
import { DOCUMENTS_SIZE_MAX } from "../../src/log/change-check.ts";
import type { ControlRecord } from "../../src/log/control-records.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";

const MIB = 1024 * 1024;

function policies(first: number, count: number, size: number): ControlRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    kind: "document-put",
    key: `stream/1/consumer/${first + i}/policy`,
    value: "x".repeat(size),
  }));
}

describe("a checkpoint", () => {
  it("is not due for the sake of its own snapshots", async () => {
    const platform = virtualPlatform();
    // A WAL of 512 KiB is long.
    const log = await TestLog.open(platform, { arenaBytesMax: 2 * MIB });
    await log.createStream();
    await log.log.change(policies(0, 40, 20_480));
    await log.put(someRecords(1));
    await log.log.close();
    const again = await TestLog.open(platform.restart(), { arenaBytesMax: 2 * MIB });
    await again.log.checkpoint();
    const before = again.log.status();
    expect(before.walBytes).toBeGreaterThan(1.5 * MIB);
    for (let i = 0; i < 50; i++) await again.put(someRecords(1, 100, 1 + i));
    // The one that was due at the opening may have gone on until now.
    expect(again.log.status().commits - before.commits).toBeLessThan(60);
    // What is written after the snapshots makes the WAL long as ever.
    for (let i = 0; i < 50; i++) await again.put(someRecords(1, 20_000, 100 + i));
    await again.log.close();
    expect(again.log.status().commits - before.commits).toBeGreaterThan(101);
    expect(again.log.status().walBytes).toBeLessThan(before.walBytes + 0.6 * MIB);
  });

  it("keeps the number of frames small that the next leader has to read", async () => {
    const log = await TestLog.open(virtualPlatform());
    await log.createStream();
    let most = 0;
    for (let i = 0; i < 9000; i++) {
      await log.put(someRecords(1, 10, i));
      most = Math.max(most, log.log.status().walFrames);
    }
    await log.log.close();
    // Frames that were committed while a checkpoint was made stay until the next one.
    expect(most).toBeGreaterThan(4000);
    expect(most).toBeLessThan(4500);
  }, 60_000);

  it("holds as many documents as an engine takes, and no more are taken", async () => {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream();
    const count = Math.floor(DOCUMENTS_SIZE_MAX / 20_520);
    for (let i = 0; i < count; i += 100) {
      await log.log.change(policies(i, Math.min(100, count - i), 20_480));
    }
    await expect(log.log.change(policies(count, 2, 20_480))).rejects.toMatchObject({
      name: "LimitExceededError",
      argument: "documents",
      limit: DOCUMENTS_SIZE_MAX,
    });
    // Whoever wants to be rid of something must be able to say so.
    const small: ControlRecord = { kind: "document-put", key: "small", value: "y".repeat(900) };
    for (let i = 0; i < 40; i++) await log.log.change([{ ...small, key: `small/${i}` }]);
    await log.log.checkpoint();
    await log.log.close();
    const again = await TestLog.open(platform.restart());
    expect(again.log.losses).toEqual([]);
    expect(again.log.control.documentKeys("stream/1/consumer/")).toHaveLength(count);
    expect(again.log.control.documentsSize).toBe(log.log.control.documentsSize);
    await expect(again.log.change(policies(count, 1, 20_480))).rejects.toThrow("16777216");
    const gone = policies(0, 2, 1).map(({ kind: _, ...record }) => ({
      ...record,
      kind: "document-deleted" as const,
    }));
    await again.log.change([...gone, ...policies(count, 1, 20_480)] as ControlRecord[]);
    await again.log.close();
  });
});

describe("many changes at once", () => {
  it("are each judged by what those before them leave", async () => {
    const log = await TestLog.open(virtualPlatform());
    const { uid } = await log.createStream();
    const split = log.splitting(0);
    const put = (key: string, value: string): ControlRecord => ({
      kind: "document-put",
      key,
      value,
    });
    const outcomes = await Promise.allSettled([
      log.log.change([put("a", "1"), split]),
      // The second record does not apply, so that the first one does not either.
      log.log.change([put("a", "2"), { kind: "document-deleted", key: "a" }, split]),
      log.log.change([
        put("b", "3"),
        { kind: "stream-updated", streamUid: uid, settings: { retentionHours: 48 } },
      ]),
      log.log.change([{ kind: "stream-updated", streamUid: uid + 1, settings: {} }]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
    ]);
    expect(log.log.control.document("a")).toBe("1");
    expect(log.log.control.document("b")).toBe("3");
    expect(log.stream().shards).toHaveLength(3);
    expect(log.stream().retentionHours).toBe(48);
    await log.log.close();
  });

  it("take no longer for all that the state holds already", async () => {
    const log = await TestLog.open(virtualPlatform(), { arenaBytesMax: 32 * MIB });
    for (let i = 0; i < 400; i++) await log.createStream(`stream-${i}`, 10);
    await log.log.change(
      Array.from({ length: 10_000 }, (_, i) => ({
        kind: "document-put",
        key: `stream/${i}/tags`,
        value: i,
      })),
    );
    const { uid } = log.stream("stream-7");
    const before = process.cpuUsage();
    const changes = Array.from({ length: 1000 }, (_, i) =>
      log.log.change([
        { kind: "stream-updated", streamUid: uid, settings: { retentionHours: 24 + i } },
        { kind: "document-put", key: `stream/${uid}/consumer/${i}`, value: i },
      ]),
    );
    await Promise.all(changes);
    // A copy of the state for each would take some seconds. Other work of the machine is not counted.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(2000);
    expect(log.log.control.documentKeys(`stream/${uid}/consumer/`)).toHaveLength(1000);
    await log.log.close();
  });
});
