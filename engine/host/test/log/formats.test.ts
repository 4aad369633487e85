/**
 * The bytes on disk: logs written by earlier versions of the formats stay readable, and the same work
 * still writes the same bytes. A change of format brings a new fixture beside the old ones.
 *
 * Version 1 knew no reshards, documents and settings; its snapshots and streams lack their members. Version
 * 2 knew neither durability nor what gives way when the store is full, and its snapshots neither the sizes of
 * segments nor the fences before them. Version 3 is what version 4 is, but for the frames that a snapshot,
 * which still calls itself version 3, says it stands for.
 */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { SegmentKey } from "../../src/storage/log-store.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { TestLog } from "../support/logs.ts";
import { numberOf, someRecords } from "../support/records.ts";

interface LogFixture {
  readonly frames: readonly { readonly frameNumber: number; readonly base64: string }[];
  readonly segments: readonly { readonly key: SegmentKey; readonly base64: string }[];
}

function fixtureOf(version: number): URL {
  return new URL(`../../../../test/fixtures/formats/log-${version}.json`, import.meta.url);
}

function storeOf(platform: VirtualPlatform): MemoryLogStore {
  return new MemoryLogStore({ disk: platform.stores.disk("test") });
}

/**
 * Streams made, changed, resharded and deleted, documents, records of several sizes, sealed segments, a
 * snapshot, changes behind it, two epochs.
 */
async function writeLog(): Promise<VirtualPlatform> {
  const platform = virtualPlatform({ seed: 20_260_101 });
  const first = await TestLog.open(platform);
  const clicks = await first.createStream("clicks", 2);
  await first.createStream("gone");
  await first.put(someRecords(20, 60));
  await first.log.change([
    { kind: "document-put", key: `stream/${clicks.uid}/tags`, value: { team: "blue" } },
    { kind: "document-put", key: "account", value: [null, 1, true, "ä"] },
    first.splitting(0),
  ]);
  await first.put(someRecords(10, 33, 20));
  await first.log.change([
    { kind: "stream-deleted", streamUid: first.stream("gone").uid },
    { kind: "document-deleted", key: "account" },
  ]);
  await platform.clock.advance(360_000);
  await first.put(someRecords(10, 33, 30));
  await platform.clock.advance(60_000);
  await first.log.close();
  const second = await TestLog.open(platform.restart());
  await second.merge(3);
  await second.log.change([
    {
      kind: "stream-updated",
      streamUid: clicks.uid,
      settings: {
        mode: "ON_DEMAND",
        retentionHours: 48,
        writeCapacity: { recordsPerSecond: 4000, bytesPerSecond: 4_000_000 },
        durability: "relaxed",
        whenFull: "drop-oldest",
      },
    },
    { kind: "document-put", key: `stream/${clicks.uid}/capacity`, value: { peaks: [1.5] } },
  ]);
  await second.put(someRecords(5, 7, 40));
  await second.log.close();
  return platform;
}

async function dump(platform: VirtualPlatform): Promise<LogFixture> {
  const store = storeOf(platform);
  const base64 = (bytes: Uint8Array | undefined): string =>
    Buffer.from(bytes ?? []).toString("base64");
  const frames = [];
  for (const frameNumber of await store.frameNumbers()) {
    frames.push({ frameNumber, base64: base64(await store.readFrame(frameNumber)) });
  }
  const segments = [];
  for (const key of await store.segmentKeys()) {
    segments.push({ key, base64: base64(await store.readSegment(key)) });
  }
  return { frames, segments };
}

async function load(version: number): Promise<VirtualPlatform> {
  const fixture = await readFixture(version);
  const platform = virtualPlatform();
  const store = storeOf(platform);
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"));
  for (const { frameNumber, base64 } of fixture.frames) {
    await store.appendFrame(frameNumber, bytes(base64), "strict");
  }
  await store.addSegments(
    fixture.segments.map(({ key, base64 }) => ({ key, image: bytes(base64).slice().buffer })),
  );
  return platform;
}

async function readFixture(version: number): Promise<LogFixture> {
  const file = fixtureOf(version);
  if (!existsSync(file)) {
    await writeFile(file, `${JSON.stringify(await dump(await writeLog()), null, 1)}\n`);
    throw new Error("the fixture was missing and has been written; look at it and commit it");
  }
  return JSON.parse(await readFile(file, "utf8")) as LogFixture;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("version 1 on disk", () => {
  it("is still read, with the settings that streams had then", async () => {
    const log = await TestLog.open(await load(1));
    expect([...log.log.control.streams()]).toMatchObject([
      {
        name: "clicks",
        mode: "PROVISIONED",
        distribution: "USER_PARTITION_KEY",
        writeCapacity: null,
        nextShardIndex: 2,
        retentionHours: 24,
      },
    ]);
    const { records } = await log.readAll();
    expect(records.map(numberOf).sort((a, b) => a - b)).toEqual(range(35));
    expect(records.find((one) => numberOf(one) === 3)?.data).toEqual(
      someRecords(1, 60, 3)[0]?.data,
    );
    expect(log.log.losses).toEqual([]);
    await log.split(1);
    await log.log.checkpoint();
    await log.log.close();
  });

  it("is still read where no snapshot follows the creation of the stream", async () => {
    const fixture = await readFixture(1);
    const text = fixture.frames.map(({ base64 }) => Buffer.from(base64, "base64").toString());
    expect(text.some((frame) => frame.includes('"version":1'))).toBe(true);
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    const { mode, distribution, writeCapacity, nextShardIndex, ...first } = await log.createStream(
      "clicks",
      3,
    );
    expect([mode, distribution, writeCapacity, nextShardIndex]).toHaveLength(4);
    const old = { ...first, uid: 9, name: "old", shards: first.shards.map(renumbered) };
    await log.log.change([{ kind: "stream-created", stream: old as never }]);
    const again = await TestLog.open(platform.restart());
    expect(again.stream("old")).toEqual({
      ...old,
      mode: "PROVISIONED",
      distribution: "USER_PARTITION_KEY",
      writeCapacity: null,
      nextShardIndex: 3,
    });
    await again.log.close();
  });
});

function renumbered<Shard extends { readonly uid: number }>(shard: Shard): Shard {
  return { ...shard, uid: shard.uid + 20 };
}

describe("version 4 on disk", () => {
  it("is still written byte for byte", async () => {
    const fixture = await readFixture(4);
    expect(fixture.segments.length).toBeGreaterThan(3);
    expect(await dump(await writeLog())).toEqual(fixture);
  });
});

describe.each([
  [2, { durability: "strict", whenFull: "refuse-new" }],
  [3, { durability: "relaxed", whenFull: "drop-oldest" }],
  [4, { durability: "relaxed", whenFull: "drop-oldest" }],
])("version %d on disk", (version, settings) => {
  it("is still read", async () => {
    const log = await TestLog.open(await load(version));
    const { control } = log.log;
    const clicks = log.stream();
    expect([...control.streams()]).toEqual([clicks]);
    expect(clicks).toMatchObject({
      ...settings,
      mode: "ON_DEMAND",
      retentionHours: 48,
      nextShardIndex: 5,
    });
    expect(
      clicks.shards.map((one) => [
        one.shardIndex,
        one.parentShardIndex,
        one.adjacentParentShardIndex,
        one.closedMs !== undefined,
      ]),
    ).toEqual([
      [0, undefined, undefined, true],
      [1, undefined, undefined, true],
      [2, 0, undefined, false],
      [3, 0, undefined, true],
      [4, 3, 1, false],
    ]);
    expect(control.documentKeys("")).toEqual([
      `stream/${clicks.uid}/capacity`,
      `stream/${clicks.uid}/tags`,
    ]);
    expect(control.document(`stream/${clicks.uid}/tags`)).toEqual({ team: "blue" });
    const { records } = await log.readAll();
    expect(records.map(numberOf).sort((a, b) => a - b)).toEqual(range(45));
    expect(log.log.losses).toEqual([]);
    await log.log.close();
  });
});
