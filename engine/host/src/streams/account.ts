/** Settings of the account: one document, of which what is in force at a moment is derived. */
import type { ControlRecord } from "../log/control-records.ts";
import type { Documents } from "./documents.ts";

/** Key of the document. */
export const ACCOUNT_KEY = "account";

/** A commitment to a minimum throughput lasts a day at least. */
export const COMMITMENT_MS_MIN = 86_400_000;

/** When the account was committed to a minimum throughput: On-demand Advantage. Times are ms since the Unix epoch. */
export type Commitment = {
  readonly startedMs: number;
  /** When it ends, which may lie ahead; absent while nobody ended it. */
  readonly endedMs?: number;
};

type AccountDocument = {
  readonly commitment: Commitment;
};

/** AWS's names for the state of a commitment. */
export type CommitmentStatus = "ENABLED" | "DISABLED" | "ENABLED_UNTIL_EARLIEST_ALLOWED_END";

/** The account's newest commitment; undefined when it never had one. */
export function commitmentOf(documents: Documents): Commitment | undefined {
  return documents.get<AccountDocument>(ACCOUNT_KEY)?.commitment;
}

/** The record that changes the account's commitment. */
export function puttingCommitment(documents: Documents, commitment: Commitment): ControlRecord {
  return documents.putting(ACCOUNT_KEY, { commitment } satisfies AccountDocument);
}

/** Status of a commitment at a moment. */
export function commitmentStatus(
  commitment: Commitment | undefined,
  nowMs: number,
): CommitmentStatus {
  if (commitment === undefined) return "DISABLED";
  const { endedMs } = commitment;
  if (endedMs === undefined) return "ENABLED";
  return nowMs < endedMs ? "ENABLED_UNTIL_EARLIEST_ALLOWED_END" : "DISABLED";
}

/** Whether the account has On-demand Advantage (MinimumThroughputBillingCommitment) at a moment. */
export function hasAdvantage(documents: Documents, nowMs: number): boolean {
  return commitmentStatus(commitmentOf(documents), nowMs) !== "DISABLED";
}
