/**
 * What the sections of a WAL frame mean: runs of records, control records, producer table, job
 * epochs, snapshot, fence. Layouts: "Section" and "Run" in `layout.ts` of the core.
 */
import {
  RUN_HEADER_BYTES,
  SECTION_CONTROL,
  SECTION_FENCE,
  SECTION_FENCE_LIST,
  SECTION_JOB_EPOCH,
  SECTION_PRODUCERS,
  SECTION_RECORDS,
  SECTION_SNAPSHOT,
} from "@millrace/core/layout";
import type { Run } from "../core/core-types.ts";
import { readUint64, viewOf, writeUint64 } from "./bytes.ts";
import type { ControlRecord } from "./control-records.ts";
import type { ControlSnapshot, StoredSnapshot, TrimmedFrames } from "./control-snapshot.ts";
import type { DataLoss } from "./loss-reports.ts";
import type { Piece, Section, SectionDraft } from "./wal-frame.ts";

/** Every section type that this build can read. */
export const KNOWN_SECTIONS: ReadonlySet<number> = new Set([
  SECTION_RECORDS,
  SECTION_CONTROL,
  SECTION_PRODUCERS,
  SECTION_JOB_EPOCH,
  SECTION_SNAPSHOT,
  SECTION_FENCE,
  SECTION_FENCE_LIST,
]);

/** A run as read from a records section; the frames are a view of the section. */
export interface StoredRun {
  readonly shardUid: number;
  readonly recordCount: number;
  readonly ordinal: number;
  readonly firstIndex: number;
  /** Byte offset of the first frame in the segment's body. */
  readonly bodyOffset: number;
  /** Length of the frames in bytes, as they are when they are not encrypted. */
  readonly byteLength: number;
  /** Empty where the section is encrypted: see `section-cipher.ts`. */
  readonly frames: Uint8Array;
}

/** What a fence frame says of the leader that wrote it. */
export interface FenceRecord {
  /** Random id of the leader, 32 hexadecimal digits: tells two leaders of one epoch apart. */
  readonly leaderId: string;
  /** Random id of this life of the log, 32 hexadecimal digits; changes when a log came back empty or older. */
  readonly incarnation: string;
  /** The incarnation that the log had before it came back empty or older. */
  readonly formerly?: string;
  /** Uids below these may have been given out by frames that were lost. */
  readonly uidFloors?: { readonly stream: number; readonly shard: number };
  /** What its leader found to be lost, which may have ended before it told anybody: told until a checkpoint. */
  readonly losses?: readonly DataLoss[];
}

/** A job's epoch commit, fenced by its lease counter. Cursors and state are the job's own. */
export interface JobEpochRecord {
  readonly job: string;
  readonly leaseCounter: number;
  readonly jobEpoch: number;
  readonly cursors: readonly {
    readonly shardUid: number;
    readonly nextIndex: number;
    readonly subSequence: number;
  }[];
  /** Base64 of the job's state delta. */
  readonly stateDelta: string;
}

/** Bytes in front of the run headers of an encrypted section: how many there are, and zeros. */
export const RUN_COUNT_BYTES = 8;

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { fatal: true });

function jsonSection(type: number, critical: boolean, value: unknown): SectionDraft {
  return { type, critical, streamUid: 0, pieces: [utf8.encode(JSON.stringify(value))] };
}

/** The header of a run, encrypted or not. */
export function runHeader(run: Run): Uint8Array {
  const header = new Uint8Array(RUN_HEADER_BYTES);
  const view = viewOf(header);
  view.setUint32(0, run.shardUid, true);
  view.setUint32(4, run.recordCount, true);
  writeUint64(view, 8, run.ordinal);
  writeUint64(view, 16, run.firstIndex);
  view.setUint32(24, run.byteLength, true);
  view.setUint32(28, run.bodyOffset, true);
  return header;
}

/** Runs by the stream that they belong to, in the order in which they were cut. */
export function runsByStream(runs: readonly Run[]): ReadonlyMap<number, readonly Run[]> {
  const byStream = new Map<number, Run[]>();
  for (const run of runs) {
    const ofStream = byStream.get(run.streamUid);
    if (ofStream === undefined) byStream.set(run.streamUid, [run]);
    else ofStream.push(run);
  }
  return byStream;
}

/** One critical section per stream with all its runs, so that a stream's bytes can have a key of their own. */
export function recordSections(runs: readonly Run[]): SectionDraft[] {
  return [...runsByStream(runs)].map(([streamUid, ofStream]) => ({
    type: SECTION_RECORDS,
    critical: true,
    streamUid,
    pieces: ofStream.flatMap((run): Piece[] => [
      runHeader(run),
      { address: run.address, byteLength: run.byteLength },
    ]),
  }));
}

function readRunHeader(view: DataView, at: number): Omit<StoredRun, "frames"> {
  return {
    shardUid: view.getUint32(at, true),
    recordCount: view.getUint32(at + 4, true),
    ordinal: readUint64(view, at + 8),
    firstIndex: readUint64(view, at + 16),
    byteLength: view.getUint32(at + 24, true),
    bodyOffset: view.getUint32(at + 28, true),
  };
}

/** Where the run headers of an encrypted records section end; undefined when they overrun it. */
export function encryptedRunsEnd(payload: Uint8Array): number | undefined {
  if (payload.byteLength < RUN_COUNT_BYTES) return undefined;
  const end = RUN_COUNT_BYTES + viewOf(payload).getUint32(0, true) * RUN_HEADER_BYTES;
  return end <= payload.byteLength ? end : undefined;
}

/** The runs of an encrypted section, without their frames. */
function readEncryptedRuns({ payload }: Section): StoredRun[] {
  const view = viewOf(payload);
  const end = encryptedRunsEnd(payload) ?? 0;
  const runs: StoredRun[] = [];
  for (let at = RUN_COUNT_BYTES; at < end; at += RUN_HEADER_BYTES) {
    runs.push({ ...readRunHeader(view, at), frames: payload.subarray(0, 0) });
  }
  return runs;
}

/** The runs of a records section, in the order they were written. */
export function readRuns(section: Section): StoredRun[] {
  if (section.keyId !== 0) return readEncryptedRuns(section);
  const view = viewOf(section.payload);
  const runs: StoredRun[] = [];
  let at = 0;
  while (at + RUN_HEADER_BYTES <= section.payload.byteLength) {
    const run = readRunHeader(view, at);
    const start = at + RUN_HEADER_BYTES;
    runs.push({ ...run, frames: section.payload.subarray(start, start + run.byteLength) });
    at = start + run.byteLength;
  }
  return runs;
}

/** A critical section of control records, in the order they are to be applied. */
export function controlSection(records: readonly ControlRecord[]): SectionDraft {
  return jsonSection(SECTION_CONTROL, true, records);
}

/** The control records of a section. */
export function readControl(section: Section): ControlRecord[] {
  return JSON.parse(fromUtf8.decode(section.payload)) as ControlRecord[];
}

/** A critical section with the whole control state. */
export function snapshotSection(snapshot: ControlSnapshot, trimmed: TrimmedFrames): SectionDraft {
  return jsonSection(SECTION_SNAPSHOT, true, { ...snapshot, trimmed });
}

/** The snapshot of a section, as whatever version wrote it. */
export function readSnapshot(section: Section): StoredSnapshot {
  return JSON.parse(fromUtf8.decode(section.payload)) as StoredSnapshot;
}

/** A section with producer table entries; not critical, a build without the table only loses repeats' answers. */
export function producerSection(entries: Uint8Array): SectionDraft {
  return { type: SECTION_PRODUCERS, critical: false, streamUid: 0, pieces: [entries] };
}

/** A critical section with a job's epoch. */
export function jobEpochSection(record: JobEpochRecord): SectionDraft {
  return jsonSection(SECTION_JOB_EPOCH, true, record);
}

/** The job epoch of a section. */
export function readJobEpoch(section: Section): JobEpochRecord {
  return JSON.parse(fromUtf8.decode(section.payload)) as JobEpochRecord;
}

/** A critical section that begins a leader's epoch. */
export function fenceSection(record: FenceRecord): SectionDraft {
  return jsonSection(SECTION_FENCE, true, record);
}

/** The fence of a section. */
export function readFence(section: Section): FenceRecord {
  return JSON.parse(fromUtf8.decode(section.payload)) as FenceRecord;
}
