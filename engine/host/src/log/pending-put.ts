/** A request batch on its way into a WAL frame: while it waits, and once its records are appended. */
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
   * again when what it had appended was taken back for lack of room.
   */
  readonly append: () => AppendedPut | undefined;
  readonly reject: (error: Error) => void;
}
