/** Transforms: plugins that answer each record with another one, a drop or a failure. */
import type { RecordBatch } from "./record-batch.ts";

/** The record goes on with this data; a string stands for its UTF-8. */
export interface OkOutcome {
  readonly result: "Ok";
  readonly data: Uint8Array | string;
}

/** The record is left out on purpose. */
export interface DroppedOutcome {
  readonly result: "Dropped";
}

/** The record cannot be transformed, and would not be at another attempt either. */
export interface FailedOutcome {
  readonly result: "ProcessingFailed";
  /** Names the kind of failure, for counting. */
  readonly code: string;
  /** Says to people what is wrong with this record. */
  readonly message: string;
}

/** What a transform answers for one record. */
export type Outcome = OkOutcome | DroppedOutcome | FailedOutcome;

/** What a host offers to a transform during one call. */
export interface TransformContext {
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
  /** Name of the stream that the records are of; empty when they are of none. */
  readonly stream: string;
  /** The host's time in ms since the Unix epoch; not the machine's in tests. */
  now(): number;
}

/** A transform at work. */
export interface Transform {
  /**
   * Answers every record exactly once: the outcome at a position is that of the record there. What
   * throws fails the whole batch, which may be handed over again under the same ids.
   */
  transform(
    batch: RecordBatch,
    context: TransformContext,
  ): readonly Outcome[] | Promise<readonly Outcome[]>;
  /** Lets go of what it holds; nothing is called afterwards. */
  close?(): void | Promise<void>;
}
