/** All cases of the table, and how a world is held to one of them. */
import { assert } from "vitest";
import "./cases/capacity.ts";
import "./cases/channels.ts";
import "./cases/encryption.ts";
import "./cases/iterators.ts";
import "./cases/records.ts";
import "./cases/resources.ts";
import "./cases/shards.ts";
import "./cases/streams.ts";
import { allCases, type Case, NoWordsError, type World } from "./world.ts";

/** All cases, in the order in which they are written. */
export const cases: readonly Case[] = allCases();

/** What a case is called in reports and tables. */
export function nameOf({ operation, error, title }: Case): string {
  return `${operation}: ${error ?? "ok"}: ${title}`;
}

/** Runs a case. @throws AssertionError or the world's own error, when the world does otherwise. */
export async function runCase(world: World, one: Case): Promise<void> {
  if (one.error === undefined) {
    await one.run(world);
    return;
  }
  const outcome = await one.run(world).then(
    () => "no error",
    (error: Error) => {
      if (error instanceof NoWordsError) throw error;
      return error.name === one.error ? one.error : `${error.name}: ${error.message}`;
    },
  );
  assert.equal(outcome, one.error);
}
