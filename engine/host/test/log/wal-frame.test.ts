import { SECTION_CONTROL, SECTION_JOB_EPOCH } from "@millrace/core/layout";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import type { Core } from "../../src/core/core.ts";
import { BatchResultBuilder, decodeResults, encodeResults } from "../../src/log/producer-table.ts";
import {
  controlSection,
  fenceSection,
  jobEpochSection,
  readControl,
  readFence,
  readJobEpoch,
  readSnapshot,
  snapshotSection,
} from "../../src/log/sections.ts";
import { decodeFrame, encodeFrame } from "../../src/log/wal-frame.ts";
import { newCore } from "../support/engines.ts";

const HEADER = {
  epoch: 3,
  frameNumber: 7,
  previousHash: 0x1234567890abcdefn,
  timeMs: 1_767_225_600_000,
};

function decoded(
  core: Core,
  bytes: Uint8Array,
): Exclude<ReturnType<typeof decodeFrame>, { damaged: string }> {
  const frame = decodeFrame(core, bytes);
  if ("damaged" in frame) throw new Error(frame.damaged);
  return frame;
}

describe("a WAL frame", () => {
  let core: Core;
  beforeAll(async () => {
    core = await newCore();
  });

  it("gives back its header and any sections that were put into it", () => {
    const section = fc.record({
      type: fc.integer({ min: 1, max: 6 }),
      critical: fc.boolean(),
      streamUid: fc.nat(),
      pieces: fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(section, { maxLength: 6 }), (sections) => {
        const { bytes, hash } = encodeFrame(core, HEADER, sections);
        const frame = decoded(core, bytes);
        expect(frame).toMatchObject({ ...HEADER, hash, incompatibleFeatures: 0 });
        expect(
          frame.sections.map(({ type, critical, streamUid }) => ({ type, critical, streamUid })),
        ).toEqual(sections.map(({ type, critical, streamUid }) => ({ type, critical, streamUid })));
        expect(frame.sections.map(({ payload }) => [...payload])).toEqual(
          sections.map(({ pieces }) => pieces.flatMap((piece) => [...piece])),
        );
      }),
    );
  });

  it("does not verify when any one of its bytes has changed", () => {
    const { bytes } = encodeFrame(core, HEADER, [
      fenceSection({ leaderId: "a", incarnation: "b" }),
    ]);
    for (let at = 0; at < bytes.byteLength; at++) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      expect("damaged" in decodeFrame(core, damaged), `byte ${at}`).toBe(true);
    }
  });

  it("does not verify when it was cut short or is not a frame at all", () => {
    const { bytes } = encodeFrame(core, HEADER, [
      fenceSection({ leaderId: "a", incarnation: "b" }),
    ]);
    for (const length of [0, 1, 63, 64, bytes.byteLength - 8]) {
      expect("damaged" in decodeFrame(core, bytes.subarray(0, length))).toBe(true);
    }
    expect("damaged" in decodeFrame(core, new Uint8Array(256))).toBe(true);
  });

  it("carries every kind of section of the format", () => {
    const fence = { leaderId: "00ff", incarnation: "11" };
    const job = {
      job: "pump",
      leaseCounter: 4,
      jobEpoch: 9,
      cursors: [{ shardUid: 1, nextIndex: 5, subSequence: 0 }],
      stateDelta: "AAE=",
    };
    const control = [{ kind: "stream-deleted", streamUid: 3 }] as const;
    const snapshot = {
      version: 3,
      nextStreamUid: 2,
      nextShardUid: 2,
      lastCreatedSeconds: { a: 5 },
      streams: [],
      shards: [],
      deletedShards: [[1, 3]],
      documents: { a: [null, { b: true }] },
    } as const;
    const trimmed = { through: 7, kept: [3] };
    const { bytes } = encodeFrame(core, HEADER, [
      fenceSection(fence),
      jobEpochSection(job),
      controlSection(control),
      snapshotSection(snapshot, trimmed),
    ]);
    const [first, second, third, fourth] = decoded(core, bytes).sections;
    if (!first || !second || !third || !fourth) throw new Error("a section is missing");
    expect(readFence(first)).toEqual(fence);
    expect(readJobEpoch(second)).toEqual(job);
    expect(readControl(third)).toEqual(control);
    expect(readSnapshot(fourth)).toEqual({ ...snapshot, trimmed });
    expect([second.type, third.type]).toEqual([SECTION_JOB_EPOCH, SECTION_CONTROL]);
  });
});

describe("producer table entries", () => {
  it("come back as they were written", () => {
    const row = fc.record({ shardUid: fc.integer({ min: 1, max: 9 }), accepted: fc.boolean() });
    const batch = fc.record({
      producerId: fc
        .uint8Array({ minLength: 16, maxLength: 16 })
        .map((bytes) => Buffer.from(bytes).toString("hex")),
      batchNumber: fc.integer({ min: 1, max: 2 ** 40 }),
      rows: fc.array(row, { minLength: 1, maxLength: 40 }),
    });
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 5 }), (batches) => {
        const results = batches.map(({ producerId, batchNumber, rows }) => {
          const builder = new BatchResultBuilder(rows.length);
          rows.forEach(({ shardUid, accepted }, i) => {
            builder.add(i, shardUid, accepted ? 0 : 1, 1000 + i);
          });
          return builder.build(producerId, batchNumber, 12345.5, rows.length);
        });
        expect(decodeResults(encodeResults(results))).toEqual(results);
      }),
    );
  });
});
