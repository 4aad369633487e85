/**
 * Random lives of a log whose streams are split, merged, changed and expired while it is written,
 * crashes, loses its power and meets failing stores. From a seed. After each life everything acknowledged is there once,
 * in order per key across parents and children; every hash key has one open shard; and what was
 * committed is what recovery finds.
 */
import { PART_AT_END, PART_SHARD_CLOSED } from "@millrace/core/layout";
import { describe, expect, it } from "vitest";
import { MillraceError } from "../../src/errors/index.ts";
import type {
  ControlRecord,
  DocumentValue,
  StreamSettings,
} from "../../src/log/control-records.ts";
import { openShards, ringProblem } from "../../src/log/shard-ring.ts";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { type Fault, FaultPlan } from "../../src/storage/fault-plan.ts";
import type { ReadRecord } from "../support/batches.ts";
import { FAULT_KINDS, whileTimePasses } from "../support/fates.ts";
import { TestLog } from "../support/logs.ts";
import { numberOf, someRecords } from "../support/records.ts";

const SEEDS = 1000;
const LIVES = 4;
const HOUR_MS = 3_600_000;
/** The shortest and the longest retention period that a life sets, in hours. */
const RETENTION_HOURS = { min: 24, max: 48 };

class Dice {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  below(limit: number): number {
    const bytes = this.#random.fill(new Uint8Array(4));
    return new DataView(bytes.buffer).getUint32(0) % limit;
  }

  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick");
    return item;
  }
}

/** What must be true of a log, whatever befalls it. */
class Ledger {
  /** Time of the put by number of the record. */
  readonly acknowledged = new Map<number, number>();
  readonly refused = new Set<number>();
  /** Values that a document may have: the last acknowledged one, and those of which nobody knows. */
  readonly documents = new Map<string, (DocumentValue | undefined)[]>();
  /** Set when a change came to an unknown end. */
  uncertain = false;
}

function isIndeterminate(error: unknown): boolean {
  if (!(error instanceof MillraceError)) throw error;
  return error.indeterminate;
}

async function put(log: TestLog, ledger: Ledger, first: number, dice: Dice): Promise<void> {
  const records = someRecords(1 + dice.below(40), dice.pick([8, 100, 3000]), first);
  const atMs = log.platform.clock.nowMs();
  try {
    for (const [i, { status }] of (await log.put(records)).entries()) {
      if (status === 0) ledger.acknowledged.set(first + i, atMs);
      else ledger.refused.add(first + i);
    }
  } catch (error) {
    if (isIndeterminate(error)) return;
    for (const record of records) ledger.refused.add(numberOf(record));
  }
}

async function change(
  log: TestLog,
  ledger: Ledger,
  records: readonly ControlRecord[],
): Promise<void> {
  const values = new Map<string, DocumentValue | undefined>();
  for (const record of records) {
    if (record.kind === "document-put") values.set(record.key, record.value);
    if (record.kind === "document-deleted") values.set(record.key, undefined);
  }
  const before = new Map([...values.keys()].map((key) => [key, ledger.documents.get(key)]));
  for (const [key, value] of values) {
    ledger.documents.set(key, [...(before.get(key) ?? [undefined]), value]);
  }
  try {
    await log.log.change(records);
    for (const [key, value] of values) ledger.documents.set(key, [value]);
  } catch (error) {
    if (isIndeterminate(error)) {
      ledger.uncertain = true;
      return;
    }
    for (const [key, known] of before) ledger.documents.set(key, known ?? [undefined]);
    log.replan();
  }
}

function randomSettings(dice: Dice): Partial<StreamSettings> {
  return dice.pick<Partial<StreamSettings>>([
    { retentionHours: RETENTION_HOURS.min },
    { retentionHours: RETENTION_HOURS.max },
    { mode: "ON_DEMAND", writeCapacity: { recordsPerSecond: 4000, bytesPerSecond: 4_000_000 } },
    { mode: "PROVISIONED", writeCapacity: null },
    { recordKibMax: 2048 },
  ]);
}

/** One decision: some reshards, perhaps with documents and settings in the same change. */
function randomChange(log: TestLog, dice: Dice): ControlRecord[] {
  const records: ControlRecord[] = [];
  const stream = log.stream();
  for (let i = dice.below(3); i > 0; i--) {
    const open = log.open();
    const at = dice.below(open.length);
    const shardIndex = open[at]?.shardIndex ?? 0;
    const merge = at + 1 < open.length && (open.length > 6 || dice.below(2) === 0);
    records.push(merge ? log.merging(shardIndex) : log.splitting(shardIndex));
  }
  if (dice.below(2) === 0) {
    records.push({
      kind: "stream-updated",
      streamUid: stream.uid,
      settings: randomSettings(dice),
    });
  }
  const key = `stream/${stream.uid}/${dice.pick(["tags", "policy", "scaling"])}`;
  records.push(
    dice.below(4) === 0
      ? { kind: "document-deleted", key }
      : { kind: "document-put", key, value: { at: dice.below(1e9) } },
  );
  return records;
}

async function live(
  platform: VirtualPlatform,
  dice: Dice,
  ledger: Ledger,
  first: number,
): Promise<TestLog> {
  const log = await TestLog.open(platform);
  expect(log.log.losses, "losses in a life with faults").toEqual([]);
  if ([...log.log.control.streams()].length === 0) {
    await log.createStream("clicks", 1 + dice.below(3));
  }
  let under: Promise<void>[] = [];
  let number = first;
  for (let step = 10 + dice.below(30); step > 0; step--) {
    under.push(put(log, ledger, number, dice));
    number += 1000;
    if (dice.below(4) === 0) {
      // Changes are decided one after the other, as the layers above the log do; puts go on meanwhile.
      const changed = change(log, ledger, randomChange(log, dice));
      under.push(put(log, ledger, number, dice));
      number += 1000;
      await changed;
      if (ledger.uncertain) break;
    }
    if (dice.below(4) === 0) {
      await Promise.all(under);
      under = [];
    }
    if (dice.below(6) === 0) await platform.clock.advance(dice.below(1_200_000));
    if (dice.below(12) === 0) await log.log.checkpoint();
    if (dice.below(12) === 0) await log.log.sweep();
  }
  await Promise.all(under);
  return log;
}

/** The committed state in so far as recovery must not change it. */
function stateOf(log: TestLog): unknown {
  const { streams, shards, documents, lastCreatedSeconds } = log.log.control.snapshot(() => 0);
  return {
    streams,
    documents,
    lastCreatedSeconds,
    shards: shards.map(({ nextIndexFloor: _, ...shard }) => shard),
  };
}

function checkRecords(records: readonly ReadRecord[], ledger: Ledger, nowMs: number, what: string) {
  const numbers = records.map(numberOf);
  const there = new Set(numbers);
  expect(there.size, `${what}: a record is there twice`).toBe(numbers.length);
  const kept = [...ledger.acknowledged].filter(
    ([, atMs]) => atMs >= nowMs - RETENTION_HOURS.min * HOUR_MS,
  );
  const lost = kept.filter(([number]) => !there.has(number));
  expect(lost, `${what}: acknowledged and lost`).toEqual([]);
  const revived = numbers.filter((number) => ledger.refused.has(number));
  expect(revived, `${what}: refused and there`).toEqual([]);
  const byKey = new Map<string, number>();
  for (const record of records) {
    const number = numberOf(record);
    const last = byKey.get(record.key) ?? -1;
    expect(number, `${what}: order of ${record.key}`).toBeGreaterThan(last);
    byKey.set(record.key, number);
  }
}

async function checkLog(log: TestLog, ledger: Ledger, dice: Dice, what: string): Promise<void> {
  const [stream] = log.log.control.streams();
  if (stream === undefined) return;
  expect(log.log.losses, what).toEqual([]);
  expect(ringProblem(stream.shards), what).toBeUndefined();
  const nowMs = log.platform.clock.nowMs();
  const { records, flags } = await log.readAll("clicks", dice.pick([1, 3000, 1_048_576]));
  checkRecords(records, ledger, nowMs, what);
  const expiredMs = nowMs - stream.retentionHours * HOUR_MS;
  expect(records.filter(({ arrivalMs }) => arrivalMs < expiredMs).length, what).toBe(0);
  const open = new Set(openShards(stream.shards).map(({ shardIndex }) => shardIndex));
  for (const [shardIndex, flag] of flags) {
    const expected = open.has(shardIndex) ? PART_AT_END : PART_AT_END | PART_SHARD_CLOSED;
    expect(flag & (PART_AT_END | PART_SHARD_CLOSED), what).toBe(expected);
  }
  for (const [key, values] of ledger.documents) {
    expect(values, `${what}: document ${key}`).toContainEqual(log.log.control.document(key));
  }
}

/** One life to its end, whatever ends it; the log when it is still whole. */
async function endOf(life: Promise<TestLog>): Promise<TestLog | undefined> {
  try {
    const log = await life;
    return log.log.failure === undefined ? log : undefined;
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return undefined;
  }
}

/** Mostly none, one or two anywhere; at times a store that does not give a frame, up to three times in a row. */
function randomFaults(dice: Dice): Fault[] {
  if (dice.below(4) === 0) {
    const nth = 1 + dice.below(20);
    return Array.from({ length: 1 + dice.below(3) }, () => ({
      kind: dice.pick(FAULT_KINDS),
      nth,
      operations: ["readFrame"],
    }));
  }
  return Array.from({ length: dice.below(2) * (1 + dice.below(2)) }, () => ({
    kind: dice.pick(FAULT_KINDS),
    nth: 1 + dice.below(80),
  }));
}

async function run(seed: number): Promise<number> {
  const dice = new Dice(seed);
  let platform = virtualPlatform({ seed });
  const ledger = new Ledger();
  let shards = 0;
  for (let life = 0; life < LIVES; life++) {
    const what = `seed ${seed}, life ${life}`;
    platform.stores.faults = new FaultPlan(randomFaults(dice));
    const lived = live(platform, dice, ledger, life * 1_000_000);
    const log = await whileTimePasses(platform, endOf(lived));
    if (log !== undefined && dice.below(2) === 0) await log.log.close();
    else if (dice.below(2) === 0) platform.stores.disk("test").powerCut(dice.below(4));
    const before = log === undefined ? undefined : stateOf(log);
    platform = platform.restart();
    platform.stores.faults = new FaultPlan();
    const next = await TestLog.open(platform);
    if (before !== undefined && !ledger.uncertain) expect(stateOf(next), what).toEqual(before);
    ledger.uncertain = false;
    await checkLog(next, ledger, dice, what);
    if (dice.below(2) === 0) {
      await next.log.checkpoint();
      platform.clock.advanceBy(dice.below(40) * HOUR_MS);
      await next.log.sweep();
      await checkLog(next, ledger, dice, `${what}, swept`);
    }
    shards = [...next.log.control.streams()][0]?.nextShardIndex ?? 0;
    await next.log.close();
    platform = platform.restart();
  }
  return shards;
}

describe("random lives of a log that is resharded", () => {
  for (let block = 0; block < SEEDS; block += 10) {
    it(`keep every promise, seeds ${block + 1} to ${block + 10}`, async () => {
      let shards = 0;
      for (let seed = block + 1; seed <= block + 10; seed++) shards += await run(seed);
      expect(shards).toBeGreaterThan(100);
    }, 1_200_000);
  }
});
