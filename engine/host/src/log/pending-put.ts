/** Request batches on their way into a WAL frame: while they wait, and once their records are appended. */
import type { ControlRecord } from "./control-records.ts";
import type { BatchResult } from "./producer-table.ts";

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

/** A batch that waits to be appended. */
export interface WaitingPut {
  readonly streamUid: number;
  /** Length of the request in bytes. */
  readonly byteLength: number;
  readonly recordCount: number;
  /**
   * Appends the batch to the core; undefined when it is settled already (refused, or a repeat). Called
   * again when what it had appended was taken back.
   */
  readonly append: () => AppendedPut | undefined;
  readonly reject: (error: Error) => void;
}

/** Batches and control records that share a frame, or come into none: all or nothing. */
export interface AppendedCompound {
  /** Streams that it put records into. */
  readonly streamUids: ReadonlySet<number>;
  /** Applied when the frame is durable. */
  readonly records: readonly ControlRecord[];
  readonly resolve: () => void;
}

/** A compound that waits to be appended. */
export interface WaitingCompound {
  /** It keeps no order with the batches of any stream. */
  readonly streamUid: undefined;
  /** Length of its requests and control records in bytes. */
  readonly byteLength: number;
  readonly recordCount: number;
  /**
   * Decides on the state as it is now and appends all batches to the core; undefined when it is settled
   * already. Called again when what it had appended was taken back.
   * @throws HalfAppendedError when not all of it could be appended.
   */
  readonly append: () => AppendedCompound | undefined;
  readonly reject: (error: Error) => void;
}

/** What waits to be appended. */
export type Waiting = WaitingPut | WaitingCompound;

/** Some batches of a compound are in the core and others are not: what the growing frame gained goes back. */
export class HalfAppendedError extends Error {
  /** What the compound is refused with. */
  readonly reason: Error;

  constructor(reason: Error) {
    super(reason.message, { cause: reason });
    this.reason = reason;
  }
}
