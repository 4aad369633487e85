/** Checks of what the facade is called with, before anything reaches the core. */
import { InvalidArgumentError } from "../errors/index.ts";

/** Largest sequence index, ordinal, epoch and frame number: what a double holds exactly. */
const COUNTER_MAX = Number.MAX_SAFE_INTEGER;
/** Largest value that crosses the border as u32. */
export const U32_MAX = 0xffff_ffff;

/** @throws InvalidArgumentError unless `value` is an integer from `min` to `max`. */
export function checkInteger(argument: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new InvalidArgumentError(
    `${argument} must be an integer from ${min} to ${max}: ${value}.`,
    {
      argument,
      value,
      limit: value < min ? min : max,
    },
  );
}

/** @throws InvalidArgumentError unless `value` is a sequence index, ordinal, epoch or frame number. */
export function checkCounter(argument: string, value: number, min = 0): void {
  checkInteger(argument, value, min, COUNTER_MAX);
}

/** @throws InvalidArgumentError unless `value` is a time in ms since the Unix epoch. */
export function checkTime(argument: string, value: number): void {
  if (Number.isFinite(value) && value >= 0) return;
  throw new InvalidArgumentError(`${argument} must be a time in ms, 0 or later: ${value}.`, {
    argument,
    value,
    limit: 0,
  });
}
