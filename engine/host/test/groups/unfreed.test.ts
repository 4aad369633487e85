/** Workers whose leaving could not be stored: it can be said again, and no later leader waits for them. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { createGroup, TestWorker } from "../support/groups.ts";

const OPTIONS = { memoryBudgetBytes: 16 * 1024 * 1024 };

async function scene() {
  const platform = virtualPlatform();
  const first = await TestEngine.open(platform, OPTIONS);
  await createGroup(first.service, await first.createStream("clicks", 1));
  const going = await TestWorker.join(first.service, "group", "going");
  await going.poll(1000);
  expect(going.leases.length).toBe(1);
  return { platform, first, going };
}

/** Leases that a worker gets at once from the next leader. */
async function leasesOfNext(platform: ReturnType<typeof virtualPlatform>): Promise<number> {
  const later = await TestEngine.open(platform, OPTIONS);
  const next = await TestWorker.join(later.service, "group", "next");
  const polled = next.poll(1000, 1);
  await platform.clock.advance(1000);
  const { length } = await polled;
  await later.service.close();
  return length;
}

it("a worker that leaves again after its leaving could not be stored", async () => {
  const { platform, first, going } = await scene();
  platform.stores.faults.add({ kind: "abort", nth: 1, operations: ["appendFrame"] });
  await expect(going.leave()).rejects.toThrow();
  await platform.clock.advance(5000);
  await going.leave();
  await first.service.close();
  expect(await leasesOfNext(platform)).toBe(1);
});
