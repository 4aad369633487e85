/** Checks of what callers say of lease tables: whoever calls, the engine stores nothing that it could not give out. */
import { checkCount, checkObject, invalid } from "../groups/group-checks.ts";
import type { LeaseTableReference, LeaseTableRow } from "./lease-table-types.ts";

/** Printable ASCII, as ARNs are. */
const TABLE_TEXT = /^[\x20-\x7e]{1,512}$/;
/** Milliseconds since the Unix epoch, of as many digits as a number holds exactly. */
const GENERATION = /^[0-9]{1,15}$/;
const TEXT_LENGTH_MAX = 256;
const PARENTS_MAX = 2;
const STATE_LENGTH_MAX = 100_000;
/** What counters may come to; above it there is room for what a new leader adds. */
const COUNTER_MAX = 2 ** 52;
const TIME_MS_MAX = 8.64e15;

/** A row as it is stored: JSON with no members but its own. */
export type StoredRow = Omit<LeaseTableRow, "timestampMs" | "state"> & {
  readonly timestampMs: number | null;
  readonly state: string | null;
};

/** Refuses what names no table. @throws InvalidArgumentError. */
export function checkTable({ tableName, generation }: LeaseTableReference): void {
  if (typeof tableName !== "string" || !TABLE_TEXT.test(tableName)) {
    throw invalid("tableName", tableName, "1 to 512 printable characters of ASCII");
  }
  if (typeof generation !== "string" || !GENERATION.test(generation)) {
    throw invalid("generation", generation, "1 to 15 digits");
  }
}

/** Refuses what is no counter. @throws InvalidArgumentError. */
export function checkCounter(argument: string, counter: number): void {
  checkCount(argument, counter, 0, COUNTER_MAX);
}

/** Refuses a counter that would let through a change that saw an older row. @throws InvalidArgumentError. */
export function checkRises(counter: number, seenCounter: number): void {
  checkCounter("seenCounter", seenCounter);
  if (counter <= seenCounter) throw invalid("row.counter", counter, `above ${seenCounter}`);
}

/** A counter as it is stored, which may be above what callers may name. @throws InvalidArgumentError. */
export function storedCounter(counter: number): number {
  checkCount("counter", counter, 0, Number.MAX_SAFE_INTEGER);
  return counter;
}

/** The row with no members but its own. @throws InvalidArgumentError when it is none. */
export function storedRow(row: LeaseTableRow): StoredRow {
  checkObject("row", row);
  const { leaseKey, owner, counter, checkpoint, subSequenceNumber, wantedBy } = row;
  const { ownerSwitches, parentShardIds, startingHashKey, endingHashKey } = row;
  const { timestampMs = null, state = null } = row;
  for (const [member, text] of Object.entries({ leaseKey, checkpoint })) {
    checkText(`row.${member}`, text, TEXT_LENGTH_MAX);
  }
  // A row that came from an old KCL has none.
  for (const [member, text] of Object.entries({ startingHashKey, endingHashKey })) {
    if (text !== "") checkText(`row.${member}`, text, TEXT_LENGTH_MAX);
  }
  for (const [member, text] of Object.entries({ owner, wantedBy })) {
    if (text !== null) checkText(`row.${member}`, text, TEXT_LENGTH_MAX);
  }
  for (const [member, count] of Object.entries({ subSequenceNumber, ownerSwitches })) {
    checkCount(`row.${member}`, count, 0, Number.MAX_SAFE_INTEGER);
  }
  checkCounter("row.counter", counter);
  if (timestampMs !== null) checkCount("row.timestampMs", timestampMs, -TIME_MS_MAX, TIME_MS_MAX);
  if (state !== null) checkText("row.state", state, STATE_LENGTH_MAX);
  checkParents(parentShardIds);
  return {
    ...{ leaseKey, owner, counter, checkpoint, subSequenceNumber, timestampMs, ownerSwitches },
    ...{ parentShardIds: [...parentShardIds], startingHashKey, endingHashKey, wantedBy, state },
  };
}

function checkParents(ids: readonly string[]): void {
  if (!Array.isArray(ids) || ids.length > PARENTS_MAX) {
    throw invalid("row.parentShardIds", ids, `an array of at most ${PARENTS_MAX} shard ids`);
  }
  for (const id of ids) checkText("row.parentShardIds", id, TEXT_LENGTH_MAX);
}

function checkText(argument: string, text: string, lengthMax: number): void {
  if (typeof text === "string" && text.length > 0 && text.length <= lengthMax) return;
  const what = typeof text === "string" ? `${text.length} characters` : text;
  throw invalid(argument, what, `1 to ${lengthMax} characters`);
}
