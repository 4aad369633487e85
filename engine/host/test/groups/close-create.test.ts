/** Groups that are created while the engine closes: what is told of one is what is stored. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { createGroup } from "../support/groups.ts";
import { microtasks } from "../support/turns.ts";

const OPTIONS = { memoryBudgetBytes: 16 * 1024 * 1024 };

it("is refused only when it is not there afterwards", async () => {
  const wrong: string[] = [];
  for (let between = 0; between <= 20; between += 1) {
    const platform = virtualPlatform();
    const first = await TestEngine.open(platform, OPTIONS);
    const creating = createGroup(first.service, await first.createStream("clicks"));
    const told = creating.then(
      () => "created",
      (error: { code: string; indeterminate: boolean }) =>
        error.indeterminate ? "unknown" : error.code,
    );
    await microtasks(between);
    await first.service.close();
    const later = await TestEngine.open(platform, OPTIONS);
    const there = (await later.service.call("groupsList", {})).length === 1;
    await later.service.close();
    const said = await told;
    if (said !== "unknown" && (said === "created") !== there) wrong.push(`${between}: ${said}`);
  }
  expect(wrong).toEqual([]);
});
