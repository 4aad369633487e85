/**
 * Random lives: puts of all sizes, time, crashes without warning, failing stores and reopenings, from a
 * seed. After each life everything acknowledged is there once and in order.
 */
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/platform/seeded-random.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { FaultPlan } from "../../src/storage/fault-plan.ts";
import { someRecords, TestEngine } from "../support/engines.ts";
import {
  checkFates,
  FAULT_KINDS,
  type Fates,
  newFates,
  putBatch,
  tolerate,
  whileTimePasses,
} from "../support/fates.ts";

const SEEDS = 60;
const LIVES = 4;
const BUDGET = { memoryBudgetBytes: 16 * 1024 * 1024 };

class Dice {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
  }

  below(limit: number): number {
    const bytes = this.#random.fill(new Uint8Array(4));
    return new DataView(bytes.buffer).getUint32(0) % limit;
  }
}

function faultsFor(dice: Dice): FaultPlan {
  const faults = Array.from({ length: dice.below(3) }, () => ({
    kind: FAULT_KINDS[dice.below(FAULT_KINDS.length)] ?? "abort",
    nth: 1 + dice.below(60),
  }));
  return new FaultPlan(faults);
}

async function live(
  platform: VirtualPlatform,
  dice: Dice,
  fates: Fates,
  first: number,
): Promise<void> {
  const engine = await TestEngine.open(platform, BUDGET);
  const streams = await engine.service.call("listStreams", {});
  const stream = streams[0] ?? (await engine.createStream("clicks", 1 + dice.below(4)));
  const puts: Promise<void>[] = [];
  let number = first;
  for (let step = 5 + dice.below(20); step > 0; step--) {
    const count = 1 + dice.below(60);
    const dataBytes = [8, 100, 3000, 40_000][dice.below(4)] ?? 8;
    puts.push(putBatch(engine, stream, someRecords(count, dataBytes, number), fates));
    number += count;
    if (dice.below(3) === 0) await Promise.all(puts);
    if (dice.below(6) === 0) await platform.clock.advance(dice.below(400_000));
    if (dice.below(5) === 0) await engine.readAll(stream);
  }
  // Half of the lives end without a close and with puts under way, as a killed tab does.
  if (dice.below(2) === 0) return;
  await Promise.all(puts);
  await engine.service.close();
}

async function run(seed: number): Promise<void> {
  const dice = new Dice(seed);
  let platform = virtualPlatform({ seed });
  const fates = newFates();
  for (let life = 0; life < LIVES; life++) {
    platform.stores.faults = faultsFor(dice);
    await whileTimePasses(platform, tolerate(live(platform, dice, fates, life * 100_000)));
    platform = platform.restart();
    platform.stores.faults = new FaultPlan();
    const engine = await TestEngine.open(platform, BUDGET);
    const [stream] = await engine.service.call("listStreams", {});
    const records = stream === undefined ? [] : await engine.readAll(stream);
    checkFates(records, fates, `seed ${seed}, life ${life}`);
    expect(await engine.service.call("dataLoss", {})).toEqual([]);
    await engine.service.close();
    platform = platform.restart();
  }
}

describe("random lives of an engine", () => {
  for (let block = 0; block < SEEDS; block += 10) {
    it(`keep every promise, seeds ${block + 1} to ${block + 10}`, async () => {
      for (let seed = block + 1; seed <= block + 10; seed++) await run(seed);
    }, 120_000);
  }
});
