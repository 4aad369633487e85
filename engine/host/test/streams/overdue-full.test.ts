/** Engines that open over a full store: the deletion of a stream that is overdue waits, and hinders nobody. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";

const OPTIONS = { transitionMs: 1000, memoryBudgetBytes: 16 * 1024 * 1024 };

it.each([false, true])("a stream is overdue: %s", async (overdue) => {
  const platform = virtualPlatform();
  const first = await TestEngine.open(platform, OPTIONS);
  await first.createStream("clicks");
  await first.createStream("other");
  await platform.clock.advance(2000);
  if (overdue) await first.service.call("deleteStream", { name: "clicks" });
  await first.service.close();
  await platform.clock.advance(2000);
  const frames = platform.stores.faults.operations.filter((one) => one === "appendFrame").length;
  expect(frames).toBeGreaterThan(0);
  // The first frame is the one by which a leader takes the log over.
  for (let nth = 2; nth <= 6; nth += 1) {
    platform.stores.faults.add({ kind: "full", nth, operations: ["appendFrame"] });
  }
  const later = await TestEngine.open(platform, OPTIONS);
  const names = (await later.service.call("listStreams", {})).map(({ name }) => name);
  expect(names).toContain("other");
  await platform.clock.advance(20_000);
  const rest = (await later.service.call("listStreams", {})).map(({ name }) => name);
  expect(rest).toEqual(overdue ? ["other"] : ["clicks", "other"]);
  await later.service.close();
});
