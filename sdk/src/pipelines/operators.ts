/** What a stage does with each value: the functions of the application, one after the other. */
import { InvalidArgumentError } from "@millrace/engine";
import { show } from "../check.ts";
import type { StateValue } from "../groups/group-types.ts";
import type { KeyedState } from "./keyed-state.ts";
import type { Aggregation, RecordOrigin } from "./pipeline-types.ts";

const KEY_CHARACTERS_MAX = 256;

/** A value on its way through a stage. */
export interface Element {
  readonly key: string;
  readonly value: unknown;
}

/** One step of a stage. */
export interface Operator {
  readonly kind: "filter" | "map" | "flatMap" | "keyBy" | "aggregate";
  /** What comes of a value. `state` is that of an aggregation. */
  apply(
    element: Element,
    origin: RecordOrigin,
    state: KeyedState | undefined,
  ): readonly Element[] | Promise<readonly Element[]>;
}

/** A function of a value, which may answer later. */
type ValueFunction<Result> = (value: never, origin: RecordOrigin) => Result | Promise<Result>;

/** Leaves out values. */
export function filterOperator(test: ValueFunction<boolean>): Operator {
  return {
    kind: "filter",
    apply: (element, origin) =>
      settled(test(element.value as never, origin), (kept) => (kept ? [element] : [])),
  };
}

/** Replaces each value. */
export function mapOperator(change: ValueFunction<unknown>): Operator {
  return {
    kind: "map",
    apply: ({ key, value }, origin) =>
      settled(change(value as never, origin), (next) => [{ key, value: next }]),
  };
}

/** Replaces each value by any number of them. */
export function flatMapOperator(change: ValueFunction<Iterable<unknown>>): Operator {
  return {
    kind: "flatMap",
    apply: ({ key, value }, origin) =>
      settled(change(value as never, origin), (values) =>
        Array.from(values, (next) => ({ key, value: next })),
      ),
  };
}

/** Gives each value another key. */
export function keyByOperator(keyOf: ValueFunction<string>): Operator {
  return {
    kind: "keyBy",
    apply: ({ value }, origin) =>
      settled(keyOf(value as never, origin), (key) => [{ key: checkKey(key), value }]),
  };
}

/** Adds each value to the state of its key. */
export function aggregateOperator(aggregation: Aggregation<never, StateValue, unknown>): Operator {
  return {
    kind: "aggregate",
    apply: ({ key, value }, origin, state) => {
      if (state === undefined) throw new Error("an aggregation has a state");
      const before = state.get(key) ?? aggregation.initial(key);
      return settled(aggregation.add(before, value as never, origin), (after) => {
        state.set(key, after);
        if (after === null) return [];
        const result = aggregation.result === undefined ? after : aggregation.result(after, key);
        return settled(result, (made) => (made === undefined ? [] : [{ key, value: made }]));
      });
    },
  };
}

/** Goes on with a value at once when it is there, so that only functions that wait are waited for. */
function settled<Value>(
  value: Value | Promise<Value>,
  next: (value: Value) => readonly Element[] | Promise<readonly Element[]>,
): readonly Element[] | Promise<readonly Element[]> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** @throws InvalidArgumentError. */
function checkKey(key: unknown): string {
  if (typeof key === "string" && key !== "" && key.length <= KEY_CHARACTERS_MAX) return key;
  const limit = `1 to ${KEY_CHARACTERS_MAX} characters`;
  throw new InvalidArgumentError(`keyBy must answer with ${limit}, but it is ${show(key)}`, {
    ...{ argument: "keyBy", value: show(key), limit },
  });
}
