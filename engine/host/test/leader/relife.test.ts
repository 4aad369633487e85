/** A leader whose engine trapped and could not begin its next life at once: somebody leads all the same. */
import { expect, it } from "vitest";
import { Core } from "../../src/core/core.ts";
import { CoreMemoryError, CoreTrapError } from "../../src/core/core-errors.ts";
import type { ShardLogCore } from "../../src/core/core-types.ts";
import { openEngine } from "../../src/service/engine.ts";
import { coreModule, SMALL_ENGINE } from "../support/engines.ts";
import { Tabs } from "../support/members.ts";

it.each([
  ["a CoreMemoryError", () => new CoreMemoryError("There is no memory for 1024 shard slots.")],
  ["a RangeError", () => new RangeError("WebAssembly.Memory(): could not allocate memory")],
])("after %s", async (_, error) => {
  const tabs = new Tabs();
  let made = 0;
  let trap = false;
  const makeCore = async (): Promise<ShardLogCore> => {
    made += 1;
    if (made === 2) throw error();
    const core: ShardLogCore = await Core.instantiate(await coreModule(), {
      ...{ shardSlotsMax: 1024, routesMax: 512, arenaBytesMax: 8 * 1024 * 1024 },
    });
    const mine = made;
    return new Proxy(core, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== "function") return member;
        return (...values: unknown[]): unknown => {
          if (mine === 1 && trap && name === "append") throw new CoreTrapError("append trapped");
          return Reflect.apply(member, target, values);
        };
      },
    });
  };
  const leader = await tabs.open({
    wrap: () => (platform) => openEngine(platform, makeCore, SMALL_ENGINE),
  });
  const follower = await tabs.open();
  const stream = await tabs.createStream(leader);
  await tabs.until(follower.put(stream, "a"));
  trap = true;
  await tabs.until(follower.put(stream, "b")).catch(() => undefined);
  await tabs.pass(10_000);
  await tabs.until(follower.put(stream, "c"));
  expect(await tabs.readAll(follower, stream)).toContain("c");
});
