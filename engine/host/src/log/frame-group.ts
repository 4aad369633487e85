/** What one WAL frame is to hold, and who waits for it. */
import type { ControlRecord } from "./control-records.ts";
import type { BatchResult } from "./producer-table.ts";
import type { SectionDraft } from "./wal-frame.ts";

/** A request batch whose records are appended and wait for their frame. */
export interface AppendedPut {
  readonly streamUid: number;
  readonly streamName: string;
  /** Packed result, handed out once the frame is durable. */
  readonly result: ArrayBuffer;
  readonly outcome: BatchResult;
  /** Length of the request in bytes. */
  readonly byteLength: number;
  readonly resolve: (result: ArrayBuffer) => void;
  readonly reject: (error: Error) => void;
}

/** Control records that wait for their frame. */
export interface PendingChange {
  readonly records: readonly ControlRecord[];
  /** Sections besides the control records, made when the frame is written: a snapshot must be as of then. */
  readonly sections: () => readonly SectionDraft[];
  readonly resolve: (frameNumber: number) => void;
  readonly reject: (error: Error) => void;
}

/** The contents of one frame. */
export class FrameGroup {
  readonly puts: AppendedPut[] = [];
  #changes: PendingChange[] = [];
  /** Bytes of the appended frames. */
  recordBytes = 0;

  /** In the order in which they came. */
  get changes(): readonly PendingChange[] {
    return this.#changes;
  }

  get empty(): boolean {
    return this.puts.length === 0 && this.#changes.length === 0;
  }

  /** Bytes of the requests that wait. */
  get requestBytes(): number {
    return this.puts.reduce((sum, put) => sum + put.byteLength, 0);
  }

  addChange(change: PendingChange): void {
    this.#changes.push(change);
  }

  /** Leaves changes out that are settled otherwise. */
  dropChanges(dropped: ReadonlySet<PendingChange>): void {
    this.#changes = this.#changes.filter((change) => !dropped.has(change));
  }

  /** Rejects everyone who waits. */
  reject(error: Error): void {
    for (const put of this.puts) put.reject(error);
    for (const change of this.#changes) change.reject(error);
  }

  /** Takes the puts of a stream out and returns them. */
  withdraw(streamUid: number): AppendedPut[] {
    const gone = this.puts.filter((put) => put.streamUid === streamUid);
    const kept = this.puts.filter((put) => put.streamUid !== streamUid);
    this.puts.splice(0, this.puts.length, ...kept);
    return gone;
  }
}
