/** What a handler's answer says of its batch: AWS's partial batch response, and the state of a window. */
import { BatchItemFailuresError, BatchResponseError } from "./trigger-errors.ts";

/** A batch of which a part failed: all before `doneCount` is done. */
export interface BatchVerdict {
  /** How many records from the batch's beginning are done; the batch's length when all are. */
  readonly doneCount: number;
  readonly error: Error | undefined;
}

/**
 * As AWS reads it: nothing or an empty list is success; the lowest sequence number is where the retry begins;
 * an identifier that is empty, missing or none of the batch's fails the whole batch.
 */
export function judgeResponse(answer: unknown, sequenceNumbers: readonly string[]): BatchVerdict {
  const all = { doneCount: sequenceNumbers.length, error: undefined };
  const listed = memberOf(answer, "batchItemFailures");
  if (listed === undefined || listed === null) return all;
  if (!Array.isArray(listed)) return failed("batchItemFailures is no list");
  const places: number[] = [];
  for (const item of listed) {
    const identifier = memberOf(item, "itemIdentifier");
    const place = typeof identifier === "string" ? sequenceNumbers.indexOf(identifier) : -1;
    if (place < 0)
      return failed(`itemIdentifier ${String(identifier)} names no record of the batch`);
    places.push(place);
  }
  if (places.length === 0) return all;
  const error = new BatchItemFailuresError(`the handler reports ${places.length} failed records`);
  return { doneCount: Math.min(...places), error };
}

/** The state in a handler's answer as JSON holds it; an empty one when it says nothing. @throws BatchResponseError. */
export function stateIn(answer: unknown): Readonly<Record<string, unknown>> {
  const given = memberOf(answer, "state");
  if (given === undefined || given === null) return {};
  const state = throughJson(given);
  if (isObject(state)) return state;
  throw new BatchResponseError("the state in the handler's answer is no object", {
    ...{ argument: "state", limit: "an object of JSON values" },
  });
}

/** A value as it is kept. @throws BatchResponseError for one that JSON cannot hold. */
function throughJson(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch (cause) {
    throw new BatchResponseError("the state in the handler's answer is none that JSON can hold", {
      ...{ argument: "state", limit: "an object of JSON values", cause },
    });
  }
}

function failed(message: string): BatchVerdict {
  return { doneCount: 0, error: new BatchResponseError(message) };
}

function memberOf(value: unknown, name: string): unknown {
  return isObject(value) ? value[name] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
