/**
 * What the sections of a WAL frame mean: runs of records, control records, producer table, job
 * epochs, snapshot, fence. Layouts: "Section" and "Run" in `layout.ts` of the core.
 */
import {
  RUN_HEADER_BYTES,
  SECTION_CONTROL,
  SECTION_FENCE,
  SECTION_JOB_EPOCH,
  SECTION_PRODUCERS,
  SECTION_RECORDS,
  SECTION_SNAPSHOT,
} from "@millrace/core/layout";
import type { Run } from "../core/core-types.ts";
import { readUint64, viewOf, writeUint64 } from "./bytes.ts";
import type { ControlRecord } from "./control-records.ts";
import type { ControlSnapshot, StoredSnapshot } from "./control-snapshot.ts";
import type { Piece, Section, SectionDraft } from "./wal-frame.ts";

/** Every section type that this build can read. */
export const KNOWN_SECTIONS: ReadonlySet<number> = new Set([
  SECTION_RECORDS,
  SECTION_CONTROL,
  SECTION_PRODUCERS,
  SECTION_JOB_EPOCH,
  SECTION_SNAPSHOT,
  SECTION_FENCE,
]);

/** A run as read from a records section; the frames are a view of the section. */
export interface StoredRun {
  readonly shardUid: number;
  readonly recordCount: number;
  readonly ordinal: number;
  readonly firstIndex: number;
  /** Byte offset of the first frame in the segment's body. */
  readonly bodyOffset: number;
  readonly frames: Uint8Array;
}

/** What a fence frame says of the leader that wrote it. */
export interface FenceRecord {
  /** Random id of the leader, 32 hexadecimal digits: tells two leaders of one epoch apart. */
  readonly leaderId: string;
  /** Random id of this life of the log, 32 hexadecimal digits; changes when a log came back empty or older. */
  readonly incarnation: string;
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

const utf8 = new TextEncoder();
const fromUtf8 = new TextDecoder("utf-8", { fatal: true });

function jsonSection(type: number, critical: boolean, value: unknown): SectionDraft {
  return { type, critical, streamUid: 0, pieces: [utf8.encode(JSON.stringify(value))] };
}

function runHeader(run: Run): Uint8Array {
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

/** One critical section per stream with all its runs, so that a stream's bytes can have a key of their own. */
export function recordSections(runs: readonly Run[]): SectionDraft[] {
  const byStream = new Map<number, Piece[]>();
  for (const run of runs) {
    let pieces = byStream.get(run.streamUid);
    if (pieces === undefined) {
      pieces = [];
      byStream.set(run.streamUid, pieces);
    }
    pieces.push(runHeader(run), { address: run.address, byteLength: run.byteLength });
  }
  return [...byStream].map(([streamUid, pieces]) => ({
    type: SECTION_RECORDS,
    critical: true,
    streamUid,
    pieces,
  }));
}

/** The runs of a records section, in the order they were written. */
export function readRuns(section: Section): StoredRun[] {
  const view = viewOf(section.payload);
  const runs: StoredRun[] = [];
  let at = 0;
  while (at + RUN_HEADER_BYTES <= section.payload.byteLength) {
    const byteLength = view.getUint32(at + 24, true);
    const start = at + RUN_HEADER_BYTES;
    runs.push({
      shardUid: view.getUint32(at, true),
      recordCount: view.getUint32(at + 4, true),
      ordinal: readUint64(view, at + 8),
      firstIndex: readUint64(view, at + 16),
      bodyOffset: view.getUint32(at + 28, true),
      frames: section.payload.subarray(start, start + byteLength),
    });
    at = start + byteLength;
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
export function snapshotSection(snapshot: ControlSnapshot): SectionDraft {
  return jsonSection(SECTION_SNAPSHOT, true, snapshot);
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
