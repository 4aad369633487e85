/**
 * The table, run against kinesalite: what applies to it must hold there as it does here, and what does not apply
 * must fail there for the reason that is given.
 */
import { assert, describe, test } from "vitest";
import { cases, nameOf, runCase } from "./all-cases.ts";
import { differenceOf, differences } from "./kinesalite/differences.ts";
import { kinesaliteFace } from "./kinesalite/face.ts";
import type { Case } from "./world.ts";

async function run(one: Case): Promise<void> {
  const { world } = await kinesaliteFace.open(one.options);
  await runCase(world, one);
}

/** What a case ended with; an assertion shortens what it was given, so that is told in full as well. */
async function endOf(one: Case): Promise<string> {
  try {
    await run(one);
  } catch (error) {
    const { name, message, actual } = error as Error & { readonly actual?: unknown };
    return `${name}: ${message}${typeof actual === "string" ? ` (${actual})` : ""}`;
  }
  return "as it should";
}

describe("kinesalite", () => {
  for (const one of cases.filter((one) => differenceOf(one) === undefined)) {
    test(nameOf(one), async () => await run(one));
  }
});

describe.each(differences)("kinesalite is not AWS: $why", ({ why, ends }) => {
  const own = cases.filter((one) => differenceOf(one)?.why === why);

  test("which a case shows", () => {
    assert.isNotEmpty(own, `no case needs the reason: ${why}`);
  });

  for (const one of own) {
    test(nameOf(one), async () => {
      const end = await endOf(one);
      assert.notEqual(end, "as it should", "kinesalite passes the case: it needs no reason");
      assert.match(end, ends);
    });
  }
});
