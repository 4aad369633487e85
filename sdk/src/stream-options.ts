/** How single puts and subscriptions are made, as callers say it, for streams here and elsewhere. */
import type { PutRecord } from "@millrace/engine";
import { checkMembers, checkName, checkSignal, refuse } from "./check.ts";
import { type CheckedReadOptions, checkReadOptions, type ReadFrom } from "./read-options.ts";

/** How a put is made. */
export interface PutOptions {
  /**
   * Rejects the put with the signal's reason. A record that was not sent yet is withdrawn unless others
   * share its batch; one that was sent may be stored all the same.
   */
  readonly signal?: AbortSignal;
}

/** How a registered consumer reads a stream. */
export interface SubscribeOptions {
  /** Name of a consumer that was registered. */
  readonly consumer: string;
  readonly from: ReadFrom;
  /** Only this shard, as in `shardId-000000000000`; the reading then ends when it is closed. */
  readonly shard?: string;
  readonly signal?: AbortSignal;
}

/** The signal of a put. @throws InvalidArgumentError; the signal's reason when it is aborted. */
export function checkPutOptions(options: PutOptions | undefined): AbortSignal | undefined {
  if (options === undefined) return undefined;
  checkMembers("options", options, ["signal"]);
  const signal = checkSignal("options.signal", options.signal);
  signal?.throwIfAborted();
  return signal;
}

/** @throws InvalidArgumentError unless the records are an array. */
export function checkRecords(records: readonly PutRecord[]): void {
  if (Array.isArray(records)) return;
  refuse("records", "an array", records, "an array of {partitionKey, data}");
}

/** What a subscription reads, which is live. @throws InvalidArgumentError. */
export function checkSubscribeOptions(options: SubscribeOptions): CheckedReadOptions {
  checkMembers("options", options, ["consumer", "from", "shard", "signal"]);
  const { consumer, ...read } = options;
  const checked = checkReadOptions({ ...read, until: "live" });
  checkName("options.consumer", consumer);
  return checked;
}
