/** Rules by which faults are injected on purpose: plain data, imports nothing but the model. */
import type { OperationName } from "../model/shapes.ts";

/** What befalls a call that a rule chose. */
export type FaultEffect =
  /** The call is held back by this many ms, then made. */
  | { readonly kind: "delay"; readonly delayMs: number }
  /** The call fails with an AWS error and has no effect. */
  | { readonly kind: "error"; readonly code: string; readonly message?: string }
  /**
   * Each record of a PutRecords call is refused with this probability, 0 to 1, and this error. With a
   * shard in the rule, only the records that fall into it; on a stream that spreads its records there
   * is no telling beforehand, and none are.
   */
  | {
      readonly kind: "partial-failure";
      readonly recordProbability: number;
      readonly code?: "ProvisionedThroughputExceededException" | "InternalFailure";
    }
  /** The connection ends without an answer: before the call is made, or after it took effect. */
  | { readonly kind: "dropped-connection"; readonly when: "before" | "after" };

/**
 * What a packed result says, in place of a sequence index, of a record that a fault refused with
 * InternalFailure; 0 stands for the exceeded throughput.
 */
export const FAULT_INTERNAL_FAILURE = 1;

/** One rule. Members that are absent choose every call. */
export interface FaultRule {
  /** Only calls of this operation. */
  readonly operation?: OperationName;
  /** Only calls about the stream of this name. */
  readonly stream?: string;
  /** Only calls that touch this shard: for puts, those with a record that falls into it. */
  readonly shardId?: string;
  /** Part of the chosen calls that it befalls, 0 to 1; 1 when absent. */
  readonly probability?: number;
  /** Ends after it befell this many calls; without end when absent. */
  readonly times?: number;
  readonly effect: FaultEffect;
}
