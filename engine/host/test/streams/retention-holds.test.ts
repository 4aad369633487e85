/** Holds of a stream's retention: what tags and retention come to, whoever comes between and whatever fails. */
import { describe, expect, it } from "vitest";
import { ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import {
  AccessDeniedError,
  InvalidArgumentError,
  ResourceInUseError,
  ResourceNotFoundError,
  StoreFullError,
} from "../../src/errors/index.ts";
import type { EngineService } from "../../src/service/engine-service.ts";
import { ApiEngine } from "../support/api-calls.ts";
import { failureOf } from "../support/failures.ts";
import { FAULT_KINDS } from "../support/fates.ts";
import { Tabs } from "../support/members.ts";

const HELD = "millrace.held";
/** More microtasks than a change takes. */
const STEPS_MAX = 20;

type Service = Pick<EngineService, "call">;

function hold({ service }: { service: Service }, holder: string, hours: number, name = "clicks") {
  return service.call("retentionHold", { streamName: name, holder, hours });
}

function release({ service }: { service: Service }, holder: string, name = "clicks") {
  return service.call("retentionRelease", { streamName: name, holder });
}

function retain(api: ApiEngine, kind: "Increase" | "Decrease", hours: number, name = "clicks") {
  const input = { StreamName: name, RetentionPeriodHours: hours };
  return api.invoke(`${kind}StreamRetentionPeriod`, input);
}

/** The retention, and the tags without their prefix, as "49: a b held=24 49". */
async function stateOf({ service }: { service: Service }, name = "clicks"): Promise<string> {
  const { retentionHours } = await service.call("describeStream", { name });
  const { Tags } = (await service.call("invoke", {
    operation: "ListTagsForStream",
    input: { StreamName: name },
    caller: { principal: ROOT_PRINCIPAL },
  })) as { Tags: { Key: string; Value: string }[] };
  const tags = Tags.map(({ Key, Value }) => (Value === "" ? Key : `${Key}=${Value}`));
  return `${retentionHours}: ${tags.map((tag) => tag.replace(/^millrace\.(hold\.)?/, "")).join(" ")}`;
}

/** An engine with one stream. */
async function openEngine(): Promise<ApiEngine> {
  const api = await ApiEngine.open();
  await api.engine.createStream();
  return api;
}

/** Makes two calls with every number of microtasks between them, each time on a stream of its own. */
async function between(
  prepare: (api: ApiEngine, name: string) => Promise<unknown>,
  first: (api: ApiEngine, name: string) => Promise<unknown>,
  second: (api: ApiEngine, name: string) => Promise<unknown>,
): Promise<Set<string>> {
  const api = await ApiEngine.open();
  const states = new Set<string>();
  for (let steps = 0; steps <= STEPS_MAX; steps++) {
    const { name } = await api.engine.createStream(`clicks-${steps}`);
    await prepare(api, name);
    const made = [first(api, name)];
    for (let passed = 0; passed < steps; passed++) await Promise.resolve();
    made.push(second(api, name));
    const outcomes = await Promise.allSettled(made);
    const failed = outcomes.some(({ status }) => status === "rejected");
    const gone = (await api.service.call("listStreams", {})).every((one) => one.name !== name);
    states.add(`${gone ? "gone" : await stateOf(api, name)}${failed ? ", one refused" : ""}`);
  }
  await api.close();
  return states;
}

const none = async (): Promise<void> => undefined;

describe("a hold", () => {
  it("raises by a day more than is needed, and goes back with the last one", async () => {
    const api = await openEngine();
    await hold(api, "a", 25);
    expect(await stateOf(api)).toBe("49: held=24 49 a");
    await hold(api, "a", 49);
    await hold(api, "b", 24);
    expect(await stateOf(api)).toContain("49: ");
    await hold(api, "b", 30);
    await hold(api, "a", 50);
    await release(api, "a");
    await release(api, "a");
    expect(await stateOf(api)).toBe("74: held=24 74 b");
    await release(api, "b");
    expect(await stateOf(api)).toBe("24: ");
    await hold(api, "a", 8760);
    expect(await stateOf(api)).toBe("8760: held=24 8760 a");
    await release(api, "a");
    expect(await stateOf(api)).toBe("24: ");
    await api.close();
  });

  it("leaves what somebody has set meanwhile, and what is longer than it needs", async () => {
    const api = await openEngine();
    await hold(api, "a", 25);
    await retain(api, "Decrease", 40);
    await release(api, "a");
    expect(await stateOf(api)).toBe("40: ");
    await hold(api, "a", 40);
    expect(await stateOf(api)).toBe("40: ");
    await hold(api, "a", 41);
    await retain(api, "Increase", 72);
    await hold(api, "a", 73);
    expect(await stateOf(api)).toBe("97: held=72 97 a");
    await release(api, "a");
    expect(await stateOf(api)).toBe("72: ");
    await api.close();
  });

  it.each(["10 49", "49 49", "24 9000", "24 49 x", "", "90 49"])(
    "gives nothing back for a tag that no hold has written: %j",
    async (value) => {
      const api = await openEngine();
      await hold(api, "a", 25);
      await api.invoke("AddTagsToStream", { StreamName: "clicks", Tags: { [HELD]: value } });
      await release(api, "a");
      expect(await stateOf(api)).toBe("49: ");
      await api.close();
    },
  );

  it("is refused with a type", async () => {
    const api = await openEngine();
    const refused = async (promise: Promise<unknown>) => (await failureOf(promise)).constructor;
    expect(await refused(hold(api, "a", 25, "other"))).toBe(ResourceNotFoundError);
    expect(await refused(release(api, "a", "other"))).toBe(ResourceNotFoundError);
    for (const hours of [23, 8761, 24.5, Number.NaN]) {
      expect(await refused(hold(api, "a", hours))).toBe(InvalidArgumentError);
    }
    for (const holder of ["", "n".repeat(115), "#"]) {
      expect(await refused(hold(api, holder, 25))).toBe(InvalidArgumentError);
    }
    const tags = Object.fromEntries(Array.from({ length: 49 }, (_, i) => [`tag-${i}`, "x"]));
    await api.invoke("AddTagsToStream", { StreamName: "clicks", Tags: tags });
    expect(await failureOf(hold(api, "a", 25))).toMatchObject({ limit: 50 });
    expect(await stateOf(api)).toMatch(/^24: tag-0/);
    await api.close();
  });

  it("is refused where a policy denies what it stands for, and while the stream changes", async () => {
    const api = await ApiEngine.open({ transitionMs: 1000 });
    await api.engine.createStream();
    expect(await failureOf(hold(api, "a", 25))).toBeInstanceOf(ResourceInUseError);
    await release(api, "a");
    await api.platform.clock.advance(1000);
    await hold(api, "a", 25);
    expect(await failureOf(release(api, "a"))).toBeInstanceOf(ResourceInUseError);
    await api.platform.clock.advance(1000);
    const ResourceARN = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    const statement = { Effect: "Deny", Principal: "*", Resource: ResourceARN };
    const Action = ["kinesis:IncreaseStreamRetentionPeriod", "kinesis:RemoveTagsFromStream"];
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ ...statement, Action }],
    });
    await api.invoke("PutResourcePolicy", { ResourceARN, Policy });
    expect(await failureOf(release(api, "a"))).toBeInstanceOf(AccessDeniedError);
    expect(await failureOf(hold(api, "a", 50))).toBeInstanceOf(AccessDeniedError);
    await hold(api, "b", 30);
    expect(await stateOf(api)).toBe("49: held=24 49 a b");
    await api.close();
  });
});

describe("with every number of steps between them,", () => {
  it("two holds are both held", async () => {
    const states = await between(
      none,
      (api, name) => hold(api, "a", 25, name),
      (api, name) => hold(api, "b", 54, name),
    );
    expect([...states]).toEqual(["78: held=24 78 a b"]);
    const others = await between(
      none,
      (api, name) => hold(api, "b", 54, name),
      (api, name) => hold(api, "a", 25, name),
    );
    expect([...others]).toEqual(["78: held=24 78 a b"]);
  });

  it("one is held on that begins while another one is given up", async () => {
    const states = await between(
      (api, name) => hold(api, "a", 25, name),
      (api, name) => release(api, "a", name),
      (api, name) => hold(api, "b", 31, name),
    );
    // The second one came after the first one, which was the last one then.
    expect([...states]).toEqual(["55: held=24 55 b"]);
    const others = await between(
      (api, name) => hold(api, "a", 25, name),
      (api, name) => hold(api, "b", 31, name),
      (api, name) => release(api, "a", name),
    );
    expect([...others]).toEqual(["49: held=24 49 b"]);
  });

  it("the last two give back what the first one found", async () => {
    const states = await between(
      async (api, name) => {
        await hold(api, "a", 25, name);
        await hold(api, "b", 54, name);
      },
      (api, name) => release(api, "b", name),
      (api, name) => release(api, "a", name),
    );
    expect([...states]).toEqual(["24: "]);
  });

  it("a user who changes the retention while it is given back has it as he set it", async () => {
    const held = (api: ApiEngine, name: string) => hold(api, "a", 25, name);
    const given = (api: ApiEngine, name: string) => release(api, "a", name);
    const shorter = (api: ApiEngine, name: string) => retain(api, "Decrease", 30, name);
    const longer = (api: ApiEngine, name: string) => retain(api, "Increase", 72, name);
    // 30 hours are no decrease of what it went back to.
    expect([...(await between(held, given, shorter))]).toEqual(["24: , one refused"]);
    expect([...(await between(held, shorter, given))]).toEqual(["30: "]);
    expect([...(await between(held, given, longer))]).toEqual(["72: "]);
    expect([...(await between(held, longer, given))]).toEqual(["72: "]);
  });

  it("a stream that is deleted is gone", async () => {
    const gone = (api: ApiEngine, name: string) => api.service.call("deleteStream", { name });
    const held = (api: ApiEngine, name: string) => hold(api, "a", 25, name);
    const given = (api: ApiEngine, name: string) => release(api, "a", name);
    expect([...(await between(none, held, gone))]).toEqual(["gone"]);
    expect([...(await between(none, gone, held))]).toEqual(["gone, one refused"]);
    expect([...(await between(held, given, gone))]).toEqual(["gone"]);
    expect([...(await between(held, gone, given))]).toEqual(["gone, one refused"]);
  });

  it("an engine that is closed and opened again has all of it or nothing", async () => {
    for (let steps = 0; steps <= STEPS_MAX; steps++) {
      const api = await openEngine();
      const holding = hold(api, "a", 25).catch(() => undefined);
      for (let passed = 0; passed < steps; passed++) await Promise.resolve();
      await Promise.all([api.close(), holding]);
      const next = await ApiEngine.open({}, api.platform);
      expect(["24: ", "49: held=24 49 a"]).toContain(await stateOf(next));
      await next.service.call(
        "retentionHold",
        { streamName: "clicks", holder: "a", hours: 25 },
        true,
      );
      expect(await stateOf(next)).toBe("49: held=24 49 a");
      await next.close();
    }
  });
});

describe("when storing it fails,", () => {
  it.each(FAULT_KINDS)(
    "%s, it is all there or nothing of it, and may be made again",
    async (kind) => {
      const api = await openEngine();
      const calls = [
        (at: ApiEngine) => hold(at, "a", 25),
        (at: ApiEngine) => hold(at, "b", 54),
        (at: ApiEngine) => release(at, "a"),
        (at: ApiEngine) => release(at, "b"),
      ];
      const states = ["24: ", "49: held=24 49 a", "78: held=24 78 a b", "78: held=24 78 b", "24: "];
      let current = api;
      for (const [i, call] of calls.entries()) {
        current.platform.stores.faults.add({ kind, nth: 1, operations: ["appendFrame"] });
        await call(current).catch(() => undefined);
        current = await ApiEngine.open({}, current.platform.restart());
        expect([states[i], states[i + 1]]).toContain(await stateOf(current));
        await call(current);
        expect(await stateOf(current)).toBe(states[i + 1]);
      }
      await current.close();
    },
  );

  it("for want of room, it says so, and goes on when there is room", async () => {
    const api = await openEngine();
    // Before it says so, the log makes what room it can and tries again.
    const full = (): void => {
      for (const nth of [1, 2]) {
        api.platform.stores.faults.add({ kind: "full", nth, operations: ["appendFrame"] });
      }
    };
    full();
    expect(await failureOf(hold(api, "a", 25))).toBeInstanceOf(StoreFullError);
    expect(await stateOf(api)).toBe("24: ");
    await hold(api, "a", 25);
    full();
    expect(await failureOf(release(api, "a"))).toBeInstanceOf(StoreFullError);
    expect(await stateOf(api)).toBe("49: held=24 49 a");
    await release(api, "a");
    expect(await stateOf(api)).toBe("24: ");
    await api.close();
  });
});

describe("over a change of leader,", () => {
  it("a hold and a release that are under way take effect once", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    const third = await tabs.open();
    await tabs.createStream(third);
    const holding = Promise.all([hold(third, "a", 25), hold(third, "b", 54)]);
    first.context.kill();
    await tabs.until(holding);
    expect(await tabs.until(stateOf(third))).toBe("78: held=24 78 a b");
    const releasing = Promise.all([release(third, "a"), release(third, "b")]);
    second.context.kill();
    await tabs.until(releasing);
    expect(await tabs.until(stateOf(third))).toBe("24: ");
  });

  it("a leader that was deposed decides nothing more: the next one does", async () => {
    const tabs = new Tabs();
    const first = await tabs.open();
    const second = await tabs.open();
    await tabs.createStream(second);
    await tabs.until(hold(first, "a", 25));
    first.context.freeze();
    await tabs.pass(5000);
    await tabs.until(hold(second, "b", 31));
    // What it knew was that there is one hold.
    const releasing = release(first, "a");
    first.context.thaw();
    await tabs.until(releasing);
    expect(await tabs.until(stateOf(first))).toBe("49: held=24 49 b");
  });
});
