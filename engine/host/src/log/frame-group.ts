/** What one WAL frame is to hold, and who waits for it. */
import { FRAME_HEADER_BYTES, ROW_HEADER_BYTES } from "@millrace/core/layout";
import { toMillraceError } from "../errors/index.ts";
import type { ControlRecord } from "./control-records.ts";
import type {
  AppendedCompound,
  AppendedPut,
  Waiting,
  WaitingCompound,
  WaitingPut,
} from "./pending-put.ts";
import type { SectionDraft } from "./wal-frame.ts";

/** Control records that wait for their frame. */
export interface PendingChange {
  /** Decided when the frame is sent: no other one is in flight then. */
  readonly decide?: (() => readonly ControlRecord[]) | undefined;
  readonly records: readonly ControlRecord[];
  /** Sections besides the control records, made when the frame is written: a snapshot must be as of then. */
  readonly sections: () => readonly SectionDraft[];
  readonly resolve: (frameNumber: number) => void;
  readonly reject: (error: Error) => void;
}

/** A batch in a group, and as it waited before. */
interface TakenPut {
  readonly appended: AppendedPut;
  readonly waiting: WaitingPut;
}

/** A compound in a group, and as it waited before. */
interface TakenCompound {
  readonly appended: AppendedCompound;
  readonly waiting: WaitingCompound;
}

/** Bytes that a frame needs at most for a batch besides its records: its row in the producer table. */
const PUT_OVERHEAD_BYTES = 128;
/** Bytes that a record takes in a frame more than in a request. */
const RECORD_OVERHEAD_BYTES = FRAME_HEADER_BYTES - ROW_HEADER_BYTES;

/** Length in bytes that a batch or compound takes in a frame, about; more only when many shards have a part in it. */
export function framedLength({ byteLength, recordCount }: Waiting): number {
  return byteLength + recordCount * RECORD_OVERHEAD_BYTES + PUT_OVERHEAD_BYTES;
}

/** The contents of one frame. */
export class FrameGroup {
  #puts: TakenPut[] = [];
  readonly #compounds: TakenCompound[] = [];
  #changes: PendingChange[] = [];
  #strict = false;
  /** Bytes of the requests whose records are appended. */
  recordBytes = 0;
  /** Bytes that the batches take in the frame, about. */
  framedBytes = 0;

  /** In the order in which they were appended. */
  get puts(): readonly AppendedPut[] {
    return this.#puts.map(({ appended }) => appended);
  }

  /** In the order in which they were appended. */
  get compounds(): readonly AppendedCompound[] {
    return this.#compounds.map(({ appended }) => appended);
  }

  /** Batches and compounds as they waited before they were appended. */
  get waiting(): readonly Waiting[] {
    return [...this.#compounds, ...this.#puts].map(({ waiting }) => waiting);
  }

  /** Whether the frame must wait for the disk. */
  get strict(): boolean {
    return this.#strict || this.#changes.length > 0 || this.#compounds.length > 0;
  }

  /** In the order in which they came. */
  get changes(): readonly PendingChange[] {
    return this.#changes;
  }

  get empty(): boolean {
    return this.waitingCount === 0 && this.#changes.length === 0;
  }

  /** Number of batches and compounds. */
  get waitingCount(): number {
    return this.#puts.length + this.#compounds.length;
  }

  /** Bytes of the requests that wait. */
  get requestBytes(): number {
    return this.waiting.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** Adds a batch that was appended. */
  addPut(appended: AppendedPut, waiting: WaitingPut, strict: boolean): void {
    this.#puts.push({ appended, waiting });
    this.#strict ||= strict;
    this.recordBytes += appended.byteLength;
    this.framedBytes += framedLength(waiting);
  }

  /** Adds a compound that was appended. */
  addCompound(appended: AppendedCompound, waiting: WaitingCompound): void {
    this.#compounds.push({ appended, waiting });
    this.recordBytes += waiting.byteLength;
    this.framedBytes += framedLength(waiting);
  }

  addChange(change: PendingChange): void {
    this.#changes.push(change);
  }

  /** Has changes decide on the state as it is; one that cannot is told why, and left out. */
  decide(): void {
    this.#changes = this.#changes.flatMap((change) => {
      if (change.decide === undefined) return [change];
      try {
        return [{ ...change, records: change.decide() }];
      } catch (error) {
        change.reject(toMillraceError(error));
        return [];
      }
    });
  }

  /** Leaves changes out that are settled otherwise. */
  dropChanges(dropped: ReadonlySet<PendingChange>): void {
    this.#changes = this.#changes.filter((change) => !dropped.has(change));
  }

  /** Rejects everyone who waits. */
  reject(error: Error): void {
    for (const { appended } of this.#puts) appended.reject(error);
    for (const { waiting } of this.#compounds) waiting.reject(error);
    for (const change of this.#changes) change.reject(error);
  }

  /** Whether a compound put records into a stream. */
  touches(streamUid: number): boolean {
    return this.#compounds.some(({ appended }) => appended.streamUids.has(streamUid));
  }

  /** Takes the puts of a stream out and returns them. */
  withdraw(streamUid: number): AppendedPut[] {
    const gone = this.puts.filter((put) => put.streamUid === streamUid);
    this.#puts = this.#puts.filter(({ appended }) => appended.streamUid !== streamUid);
    return gone;
  }
}
