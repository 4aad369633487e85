/** Closing a log or an engine at any moment: what is refused is not durable, and nothing is left that runs. */
import { expect, it } from "vitest";
import { MillraceError } from "../../src/errors/index.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { TestLog } from "../support/logs.ts";
import { someRecords } from "../support/records.ts";
import { microtasks, turns } from "../support/turns.ts";

const MIB = 1_048_576;

/** Whether a call says for certain that it had no effect. */
function isRefused(outcome: PromiseSettledResult<unknown>): boolean {
  if (outcome.status === "fulfilled") return false;
  return !(outcome.reason instanceof MillraceError && outcome.reason.indeterminate);
}

it("a change that a closing engine refuses is not durable", async () => {
  const names = ["one", "two", "three", "four"];
  for (let between = 0; between <= 24; between += 1) {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform);
    const calls = Promise.allSettled(names.map((name) => engine.createStream(name)));
    await microtasks(between);
    await engine.service.close();
    const outcomes = await calls;
    const later = await TestEngine.open(platform);
    const durable = (await later.service.call("listStreams", {})).map(({ name }) => name);
    for (const [i, name] of names.entries()) {
      const outcome = outcomes[i];
      if (outcome === undefined || !isRefused(outcome)) continue;
      expect(durable, `${between} microtasks`).not.toContain(name);
    }
    await later.service.close();
  }
});

it("a sealing that fails while a log closes leaves no timer", async () => {
  for (let between = 0; between <= 12; between += 1) {
    const platform = virtualPlatform();
    const log = await TestLog.open(platform);
    await log.createStream("clicks", 2);
    await log.put(someRecords(5, 1000));
    platform.stores.faults.add({ kind: "abort", nth: 1, operations: ["addSegments"] });
    const checkpoint = log.log.checkpoint().catch(() => undefined);
    await microtasks(between);
    await log.log.close();
    await checkpoint;
    expect(platform.clock.pendingTimers, `${between} microtasks`).toBe(0);
  }
});

it("a deletion that is under way leaves no timer behind a closed engine", async () => {
  const platform = virtualPlatform();
  const engine = await TestEngine.open(platform, { transitionMs: 1000 });
  await engine.createStream();
  platform.clock.advanceBy(1000);
  const deletion = engine.service.call("deleteStream", { name: "clicks" });
  await engine.service.close();
  await deletion;
  expect(platform.clock.pendingTimers).toBe(0);
});

it("an export that nobody closed leaves no timer behind a closed engine", async () => {
  const platform = virtualPlatform();
  const engine = await TestEngine.open(platform);
  await engine.createStream();
  await engine.service.call("openExport", {});
  await engine.service.close();
  expect(platform.clock.pendingTimers).toBe(0);
});

it("a put that finds memory full while a log closes is refused, and hinders nobody", async () => {
  for (let first = 0; first <= 24; first += 8) {
    for (let second = 0; second <= 20; second += 2) {
      const log = await TestLog.open(virtualPlatform(), { arenaBytesMax: 4 * MIB });
      for (const name of ["sealed", "open", "large"]) await log.createStream(name);
      await log.put(someRecords(8, 50_000), "open");
      await turns(2);
      await log.put(someRecords(3, 50_000), "sealed");
      await microtasks(first);
      const closing = log.log.close();
      await microtasks(second);
      const put = log.put(someRecords(4, 400_000), "large").then(
        () => "stored",
        (error: Error) => error.name,
      );
      await closing;
      expect(["stored", "EngineClosedError"]).toContain(await put);
    }
  }
});
