/** A trail that is begun while the engine is reset: where its events go is what is stored. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { microtasks } from "../support/turns.ts";

const OPTIONS = { memoryBudgetBytes: 16 * 1024 * 1024 };

/** Whether a call leaves an event in the stream. */
async function writes(engine: TestEngine): Promise<boolean> {
  const find = async () =>
    (await engine.service.call("listStreams", {})).find(({ name }) => name === "trail");
  const stream = (await find()) ?? (await engine.createStream("trail"));
  await microtasks(200);
  const before = (await engine.readAll(stream)).length;
  await find();
  await microtasks(200);
  return (await engine.readAll(stream)).length > before;
}

it("goes on after a reopening as it went before", async () => {
  const wrong: number[] = [];
  for (let between = 0; between <= 20; between += 1) {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform, OPTIONS);
    await engine.createStream("trail");
    const setting = engine.service.call("setTrail", { streamName: "trail" });
    await microtasks(between);
    await Promise.all([setting, engine.service.call("reset", {})]);
    const now = await writes(engine);
    await engine.service.close();
    const later = await TestEngine.open(platform, OPTIONS);
    if ((await writes(later)) !== now) wrong.push(between);
    await later.service.close();
  }
  expect(wrong).toEqual([]);
});
