/** Jobs that are deleted right after they were changed: the change is answered as what it was. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { microtasks } from "../support/turns.ts";

const NAME = "copies";
const SPEC = {
  ...{ name: NAME, module: "https://example.com/job.js", exportName: "default", settings: {} },
  group: { name: NAME, streamName: "clicks", startingPosition: { type: "LATEST" } },
  ...{ worker: {}, workers: 2 },
  restart: {
    ...{ firstMs: 1000, longestMs: 60_000, quietMs: 60_000, stallMs: 10_000 },
    ...{ attemptsMax: null, memoryBytesMax: null },
  },
} as const;

it.each(["memory", "indexeddb"] as const)("in %s", async (storage) => {
  const platform = virtualPlatform({ recoverable: storage !== "memory" });
  const { service } = await TestEngine.open(platform, { storage });
  const wrong: string[] = [];
  for (let between = 0; between <= 10; between += 1) {
    for (const change of ["put", "stop"]) {
      if (change === "stop") await service.call("jobsPut", SPEC);
      const changed =
        change === "put"
          ? service.call("jobsPut", SPEC)
          : service.call("jobsSwitch", { name: NAME, wanted: "stopped" });
      const told = changed.then(
        () => "done",
        (error: Error) => error.name,
      );
      await microtasks(between);
      // Before the change it refuses, which is right.
      await service.call("jobsDelete", { name: NAME }).catch(() => undefined);
      if ((await told) !== "done") wrong.push(`${change}, ${between} microtasks: ${await told}`);
      await service.call("jobsDelete", { name: NAME }).catch(() => undefined);
    }
  }
  await service.close();
  expect(wrong).toEqual([]);
});
