/** Calls of a face and what they are answered with, as types. */
import type { InputOf, OperationName, OutputOf, StructureOf } from "@millrace/engine/model";

/** One event of SubscribeToShard. Without `ContinuationSequenceNumber` it is the last of a closed shard. */
export interface ShardEvent {
  readonly SubscribeToShardEvent: Omit<
    StructureOf<"SubscribeToShardEvent">,
    "ContinuationSequenceNumber"
  > & { readonly ContinuationSequenceNumber?: string };
}

/** The events of one subscription; its end, or `return`, closes it. Errors within it are thrown. */
export interface ShardEvents extends AsyncIterableIterator<ShardEvent, undefined> {
  return(): Promise<IteratorResult<ShardEvent, undefined>>;
}

/** Output of an operation; the events of SubscribeToShard come as they happen. */
export type AnswerOf<Name extends OperationName> = Name extends "SubscribeToShard"
  ? { readonly EventStream: ShardEvents }
  : OutputOf<Name>;

/** How a call is made. */
export interface CallSettings {
  /** ARN of who calls; the application itself when absent. */
  readonly principal?: string | undefined;
  /** Gives the call up; a put that was sent may have taken effect. Ends a subscription. */
  readonly signal?: AbortSignal | undefined;
}

/** A call whose input was validated. */
export interface FaceCall<Name extends OperationName> {
  readonly operation: Name;
  readonly input: InputOf<Name>;
  readonly caller: { readonly principal: string };
  readonly signal: AbortSignal | undefined;
}
