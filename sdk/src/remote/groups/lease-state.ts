/** State of a lease's processor and of its filter of repeats, as one JSON text in the lease's row. Pure. */
import { InternalFailureError, InvalidArgumentError } from "@millrace/engine";
import { checkName } from "../../check.ts";
import type { StateValue } from "../../groups/group-types.ts";
import type { LeaseRow } from "../../lease-table.ts";
import { REPEATS_STATE_PREFIX } from "../../replication/repeat-filter.ts";

/** Characters of a row's state. */
const STATE_LENGTH_MAX = 100_000;

/** Entries that change; null removes one. */
export type StateChanges = readonly (readonly [key: string, value: StateValue])[];

/** The state that a row holds. @throws InternalFailureError for a row that somebody else wrote otherwise. */
export function stateOf({ leaseKey, state }: LeaseRow): Readonly<Record<string, StateValue>> {
  if (state === undefined) return {};
  try {
    const value: unknown = JSON.parse(state);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Readonly<Record<string, StateValue>>;
    }
  } catch {
    // Told below, as what is no object is.
  }
  throw new InternalFailureError(`the state of lease ${leaseKey} is no JSON object`, {
    argument: "state",
    value: leaseKey,
  });
}

/**
 * The text of a row's state once some of its entries were changed; undefined for none. What the filter of repeats knows
 * gives way to the processor's state: knowing less it shows a record twice, and hides none.
 *
 * @throws InvalidArgumentError for what is no JSON, or longer than 100,000 characters.
 */
export function stateAfter(row: LeaseRow, changes: StateChanges): string | undefined {
  if (changes.length === 0) return row.state;
  const entries = new Map(Object.entries(stateOf(row)));
  for (const [key, value] of changes) {
    checkName("what.state", key);
    if (value === null) entries.delete(key);
    else entries.set(key, value);
  }
  const texts = new Map([...entries].map(([key, value]) => [key, entryText(key, value)]));
  const length = fit(texts);
  if (length <= STATE_LENGTH_MAX) return texts.size === 0 ? undefined : join(texts);
  throw new InvalidArgumentError(
    `the state of ${row.leaseKey} must be JSON of at most ${STATE_LENGTH_MAX} characters, but it has ${length}`,
    { argument: "what.state", value: length, limit: STATE_LENGTH_MAX },
  );
}

/** Leaves out what may be left out while it is too long; gives the length. */
function fit(texts: Map<string, string>): number {
  const optional = [...texts].filter(([key]) => key.startsWith(REPEATS_STATE_PREFIX));
  optional.sort(([, left], [, right]) => left.length - right.length);
  for (;;) {
    const { length } = join(texts);
    const longest = length > STATE_LENGTH_MAX ? optional.pop() : undefined;
    if (longest === undefined) return length;
    texts.delete(longest[0]);
  }
}

function join(texts: ReadonlyMap<string, string>): string {
  return `{${[...texts.values()].join(",")}}`;
}

function entryText(key: string, value: StateValue): string {
  let text: string | undefined;
  let cause: unknown;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    cause = error;
  }
  if (text !== undefined) return `${JSON.stringify(key)}:${text}`;
  throw new InvalidArgumentError(`what.state.${key} must be a JSON value`, {
    ...{ argument: `what.state.${key}`, value: typeof value, limit: "a JSON value", cause },
  });
}
