/** Groups that are replicas: a stream has one for each stream elsewhere. */
import { afterEach, describe, expect, it } from "vitest";
import { InvalidArgumentError, ResourceInUseError } from "../../src/errors/index.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { GroupDefinition, GroupSpec } from "../../src/service/engine-service.ts";
import { TestEngine } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

const ELSEWHERE = "arn:aws:kinesis:eu-west-1:000000000000:stream/clicks, created at noon";
const opened: TestEngine[] = [];
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.service.close();
});

async function openEngine(platform = virtualPlatform()): Promise<TestEngine> {
  const engine = await TestEngine.open(platform);
  opened.push(engine);
  return engine;
}

function create(
  engine: TestEngine,
  name: string,
  more: Partial<GroupSpec> = { replicaOf: ELSEWHERE },
): Promise<GroupDefinition> {
  const startingPosition = { type: "LATEST" } as const;
  return engine.service.call("groupsCreate", {
    ...{ name, streamName: "copy", startingPosition, ...more },
  });
}

describe("a group that is a replica", () => {
  it("is the only one of its stream for a stream elsewhere, under every leader, until it is deleted", async () => {
    const platform = virtualPlatform();
    const first = await openEngine(platform);
    await first.createStream("copy", 1);
    await first.createStream("other", 1);
    const made = await create(first, "one");
    expect(made.replicaOf).toBe(ELSEWHERE);
    await first.service.close();
    opened.length = 0;
    const next = await openEngine(platform);
    expect(await create(next, "one")).toEqual(made);
    const refused = await failureOf(create(next, "two"));
    expect(refused).toBeInstanceOf(ResourceInUseError);
    expect(refused).toMatchObject({ argument: "name", value: "two", limit: "one" });
    expect((await next.service.call("groupsList", {})).map(({ name }) => name)).toEqual(["one"]);
    await create(next, "three", { replicaOf: `${ELSEWHERE}, another one` });
    await create(next, "four", { streamName: "other", replicaOf: ELSEWHERE });
    await next.service.call("groupsDelete", { name: "one" });
    expect((await create(next, "two")).replicaOf).toBe(ELSEWHERE);
  });

  it("can have been there before it was one, also as another group than it would be made now", async () => {
    const engine = await openEngine();
    await engine.createStream("copy", 1);
    await create(engine, "one", { failoverMs: 2000 });
    expect(await failureOf(create(engine, "one"))).toBeInstanceOf(ResourceInUseError);
    expect(await failureOf(create(engine, "two"))).toMatchObject({ limit: "one" });
    await create(engine, "plain", {});
    expect((await create(engine, "plain", {})).replicaOf).toBeUndefined();
  });

  it("or ships to a stream elsewhere keeps the first one that was said, until it is deleted", async () => {
    const platform = virtualPlatform();
    const first = await openEngine(platform);
    await first.createStream("copy", 1);
    expect((await create(first, "one", {})).shipsTo).toBeUndefined();
    expect((await create(first, "one", { shipsTo: ELSEWHERE })).shipsTo).toBe(ELSEWHERE);
    await first.service.close();
    opened.length = 0;
    const next = await openEngine(platform);
    const other = `${ELSEWHERE}, another one`;
    expect((await create(next, "one", { shipsTo: other })).shipsTo).toBe(ELSEWHERE);
    expect((await create(next, "one", {})).shipsTo).toBe(ELSEWHERE);
    expect((await create(next, "two", { shipsTo: other })).shipsTo).toBe(other);
    expect(await failureOf(create(next, "one", { shipsTo: "" }))).toMatchObject({
      ...{ argument: "shipsTo", limit: "1 to 2048 characters" },
    });
    await next.service.call("groupsDelete", { name: "one" });
    expect((await create(next, "one", { shipsTo: other })).shipsTo).toBe(other);
  });

  it.each([["a"], [{}], [""], ["x".repeat(2049)]])(
    "is refused where that is no text: %o",
    async (text) => {
      const engine = await openEngine();
      await engine.createStream("copy", 1);
      const made = create(engine, "one", { replicaOf: text as string });
      if (text === "a") expect((await made).replicaOf).toBe("a");
      else expect(await failureOf(made)).toBeInstanceOf(InvalidArgumentError);
    },
  );
});
