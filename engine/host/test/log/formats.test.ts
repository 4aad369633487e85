/**
 * The bytes on disk: a log written by format 1 stays readable, and the same work still writes the same
 * bytes. A change of format brings a new fixture beside the old one.
 */
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { SegmentKey } from "../../src/storage/log-store.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { numberOf, someRecords, TestEngine } from "../support/engines.ts";

interface LogFixture {
  readonly frames: readonly { readonly frameNumber: number; readonly base64: string }[];
  readonly segments: readonly { readonly key: SegmentKey; readonly base64: string }[];
}

const FIXTURE = new URL("../../../../test/fixtures/formats/log-1.json", import.meta.url);
const BUDGET = { memoryBudgetBytes: 16 * 1024 * 1024 };

function storeOf(platform: VirtualPlatform): MemoryLogStore {
  return new MemoryLogStore({ disk: platform.stores.disk("test") });
}

/** Streams made and deleted, records of several sizes, sealed segments, a snapshot, two epochs. */
async function writeLog(): Promise<VirtualPlatform> {
  const platform = virtualPlatform({ seed: 20_260_101 });
  const first = await TestEngine.open(platform, BUDGET);
  const clicks = await first.createStream("clicks", 2);
  await first.createStream("gone");
  await first.put(clicks, someRecords(20, 60));
  await first.service.call("deleteStream", { name: "gone" });
  await platform.clock.advance(360_000);
  await first.put(clicks, someRecords(10, 33, 20));
  await platform.clock.advance(60_000);
  await first.service.close();
  const second = await TestEngine.open(platform, BUDGET);
  await second.put(clicks, someRecords(5, 7, 30));
  await second.service.close();
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

async function load(fixture: LogFixture): Promise<VirtualPlatform> {
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

async function readFixture(): Promise<LogFixture> {
  if (!existsSync(FIXTURE)) {
    await writeFile(FIXTURE, `${JSON.stringify(await dump(await writeLog()), null, 1)}\n`);
    throw new Error("the fixture was missing and has been written; look at it and commit it");
  }
  return JSON.parse(await readFile(FIXTURE, "utf8")) as LogFixture;
}

describe("format 1 on disk", () => {
  it("is still written byte for byte", async () => {
    const fixture = await readFixture();
    expect(fixture.segments.length).toBeGreaterThan(1);
    expect(await dump(await writeLog())).toEqual(fixture);
  });

  it("is still read", async () => {
    const engine = await TestEngine.open(await load(await readFixture()), BUDGET);
    const streams = await engine.service.call("listStreams", {});
    expect(streams.map(({ name, shards }) => [name, shards])).toEqual([["clicks", 2]]);
    const [clicks] = streams;
    if (clicks === undefined) throw new Error("no stream");
    const records = await engine.readAll(clicks);
    expect(records.map(numberOf).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 35 }, (_, i) => i),
    );
    expect(records.find((one) => numberOf(one) === 3)?.data).toEqual(
      someRecords(1, 60, 3)[0]?.data,
    );
    expect(await engine.service.call("dataLoss", {})).toEqual([]);
    await engine.service.close();
  });
});
