/**
 * Calls that are drawn from the service model: none may end in an internal failure, none may hang.
 *
 * `MILLRACE_FUZZ_CALLS` says how many (100,000 when absent), `MILLRACE_FUZZ_SEED` where the first of the
 * runs begins. A failure names the seed of its run.
 */
import { type OperationName, operations } from "@millrace/engine/model";
import { assert, describe, test } from "vitest";
import { FuzzRun } from "./fuzz/run.ts";

const CALLS = Number(process.env["MILLRACE_FUZZ_CALLS"] ?? 100_000);
const SEED = Number(process.env["MILLRACE_FUZZ_SEED"] ?? 1);
const CALLS_PER_RUN = 5000;

describe("random calls", () => {
  const reached = new Set<string>();
  const runs = Math.ceil(CALLS / CALLS_PER_RUN);
  for (let run = 0; run < runs; run++) {
    const seed = SEED + run;
    const calls = Math.min(CALLS_PER_RUN, CALLS - run * CALLS_PER_RUN);
    test(`${calls} of seed ${seed} are answered`, { timeout: 120_000 }, async () => {
      const outcome = await FuzzRun.run(seed, calls);
      assert.isEmpty(outcome.offences, `seed ${seed}:\n${outcome.offences.join("\n")}`);
      assert.isAtLeast(outcome.calls, calls);
      // Most inputs fit each other: a good share of the calls takes effect.
      assert.isAbove(outcome.succeeded, calls * 0.25);
      for (const name of outcome.reached) reached.add(name);
    });
  }

  test("reach a success of every operation", () => {
    const names = Object.keys(operations) as OperationName[];
    const missed = names.filter((name) => !reached.has(name));
    // A short run cannot be expected to.
    if (runs >= 4) assert.isEmpty(missed);
  });
});
