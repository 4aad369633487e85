/** What became of records in engines that fail, and what must be true of them afterwards. */
import { expect } from "vitest";
import { MillraceError } from "../../src/errors/errors.ts";
import type { VirtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { StreamDescription } from "../../src/service/engine-service.ts";
import type { FaultKind } from "../../src/storage/fault-plan.ts";
import type { ReadRecord, TestRecord } from "./batches.ts";
import type { TestEngine } from "./engines.ts";
import { numberOf } from "./records.ts";

/** Every way in which a store's operation can fail. */
export const FAULT_KINDS: readonly FaultKind[] = [
  "abort",
  "full",
  "unknown-written",
  "unknown-not-written",
  "crash-written",
  "crash-not-written",
];

/** What became of each record, by its number. */
export interface Fates {
  readonly acknowledged: Set<number>;
  readonly refused: Set<number>;
}

export function newFates(): Fates {
  return { acknowledged: new Set(), refused: new Set() };
}

/** Puts numbered records and notes what became of them; a typed error is an answer, too. */
export async function putBatch(
  engine: TestEngine,
  stream: StreamDescription,
  records: readonly TestRecord[],
  fates: Fates,
): Promise<void> {
  const numbers = records.map(numberOf);
  try {
    for (const [i, row] of (await engine.put(stream, records)).entries()) {
      const number = numbers[i] ?? -1;
      if (row.status === 0) fates.acknowledged.add(number);
      else fates.refused.add(number);
    }
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    if (!error.indeterminate) for (const number of numbers) fates.refused.add(number);
  }
}

/** Lets a typed error be the end of a life. */
export async function tolerate(life: Promise<void>): Promise<void> {
  try {
    await life;
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
  }
}

/** Lets virtual time pass until a promise has settled. */
export async function whileTimePasses<Result>(
  platform: VirtualPlatform,
  promise: Promise<Result>,
): Promise<Result> {
  let settled = false;
  const watched = promise.finally(() => {
    settled = true;
  });
  watched.catch(() => undefined);
  for (let i = 0; i < 2000 && !settled; i++) await platform.clock.advance(100);
  if (!settled) throw new Error("the call never settles");
  return await watched;
}

/** Acknowledged records are there once, refused ones are not, and each shard is in order. */
export function checkFates(records: readonly ReadRecord[], fates: Fates, what: string): void {
  const numbers = records.map(numberOf);
  expect(new Set(numbers).size, `${what}: a record is there twice`).toBe(numbers.length);
  const there = new Set(numbers);
  const lost = [...fates.acknowledged].filter((number) => !there.has(number));
  expect(lost, `${what}: acknowledged and lost`).toEqual([]);
  const revived = [...fates.refused].filter((number) => there.has(number));
  expect(revived, `${what}: refused and there`).toEqual([]);
  for (const shardIndex of [0, 1]) {
    const indexes = records
      .filter((one) => one.shardIndex === shardIndex)
      .map(({ index }) => index);
    expect(indexes, `${what}: order`).toEqual([...indexes].sort((a, b) => a - b));
  }
}
