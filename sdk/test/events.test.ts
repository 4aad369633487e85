/** Events of an engine, what part a tab plays, and the page's end, through the SDK. */
import { type EngineEvent, InvalidArgumentError, type Millrace as Opened } from "millrace";
import { describe, expect, it } from "vitest";
import type { EngineService } from "../../engine/host/src/service/engine-service.ts";
import { never, openDouble } from "../../engine/host/test/rpc/double.ts";
import { newOrigin, openPage } from "../../engine/host/test/rpc/pages.ts";
import { turns } from "../../engine/host/test/support/turns.ts";
import { Millrace } from "../src/millrace.ts";
import { failureOf, openEngine } from "./support.ts";

const full = (atMs: number): EngineEvent => ({ kind: "storage-full", atMs, full: true });
const changed: EngineEvent = { kind: "leader-changed", atMs: 5, epoch: 3, here: false };

interface Telling {
  readonly millrace: Opened;
  readonly clock: { advance(ms: number): Promise<void> };
  /** What the engine was asked: the places to go on from. */
  readonly asked: unknown[];
  /** Lets the engine answer the question that waits. */
  tell(...events: EngineEvent[]): Promise<void>;
  fail(): Promise<void>;
}

/** An engine that tells what a test says. */
async function openTelling(): Promise<Telling> {
  const asked: unknown[] = [];
  let answer: (events: readonly EngineEvent[]) => void = () => undefined;
  let refuse: () => void = () => undefined;
  let nextEvent = 0;
  const call: EngineService["call"] = async (operation, argument) => {
    if (operation !== "events") return (await never) as never;
    asked.push(argument);
    const { after } = argument as { readonly after: unknown };
    if (after === null) return { cursor: { epoch: 1, nextEvent }, events: [] } as never;
    return (await new Promise<unknown>((resolve, reject) => {
      answer = (events) => {
        nextEvent += events.length;
        resolve({ cursor: { epoch: 1, nextEvent }, events });
      };
      refuse = () => reject(new Error("no"));
    })) as never;
  };
  const { client, clock } = await openDouble({ call });
  return {
    millrace: new Millrace(client, false),
    clock,
    asked,
    tell: async (...events) => {
      answer(events);
      await turns();
    },
    fail: async () => {
      refuse();
      await turns();
    },
  };
}

describe("events", () => {
  it("reach the listeners of their kind, in order, by one question at a time", async () => {
    const { millrace, asked, tell } = await openTelling();
    const heard: unknown[] = [];
    millrace.on("storage-full", ({ atMs, full }) => heard.push(["full", atMs, full]));
    millrace.on("storage-full", ({ atMs }) => heard.push(["also", atMs]));
    millrace.on("leader-changed", ({ epoch, here }) => heard.push(["leader", epoch, here]));
    await turns();
    expect(asked).toEqual([
      { after: null, waitMs: 0 },
      { after: { epoch: 1, nextEvent: 0 }, waitMs: 20_000 },
    ]);
    await tell(full(1), changed, full(2));
    expect(heard).toEqual([
      ["full", 1, true],
      ["also", 1],
      ["leader", 3, false],
      ["full", 2, true],
      ["also", 2],
    ]);
    expect(asked[2]).toEqual({ after: { epoch: 1, nextEvent: 3 }, waitMs: 20_000 });
    await tell();
    expect(asked).toHaveLength(4);
    await millrace.close();
  });

  it("are asked for from a known place on before anything waits: a worker that dies meanwhile loses none", async () => {
    const { millrace, asked } = await openTelling();
    millrace.on("leader-changed", () => undefined);
    await turns();
    const waiting = asked.filter((one) => (one as { waitMs: number }).waitMs > 0);
    expect(waiting).toHaveLength(1);
    expect(waiting[0]).not.toMatchObject({ after: null });
    await millrace.close();
  });

  it("are asked for only while somebody listens", async () => {
    const { millrace, asked, tell } = await openTelling();
    await turns();
    expect(asked).toEqual([]);
    const heard: number[] = [];
    const controller = new AbortController();
    const off = millrace.on("storage-full", ({ atMs }) => heard.push(atMs));
    millrace.on("storage-full", ({ atMs }) => heard.push(-atMs), { signal: controller.signal });
    await turns();
    controller.abort();
    await tell(full(1));
    off();
    off();
    await tell(full(2));
    expect(heard).toEqual([1]);
    expect(asked).toHaveLength(3);
    await turns();
    expect(asked).toHaveLength(3);
    millrace.on("storage-full", ({ atMs }) => heard.push(atMs));
    await turns();
    expect(asked[3]).toMatchObject({ after: null });
    await millrace.close();
  });

  it("go on a second after a question that failed, and end with the engine", async () => {
    const { millrace, clock, asked, tell, fail } = await openTelling();
    const heard: number[] = [];
    millrace.on("storage-full", ({ atMs }) => heard.push(atMs));
    await turns();
    await fail();
    await clock.advance(999);
    await turns();
    expect(asked).toHaveLength(2);
    await clock.advance(1);
    await turns();
    await tell(full(4));
    expect(heard).toEqual([4]);
    await millrace.close();
    await clock.advance(5000);
    await turns();
    expect(asked).toHaveLength(4);
  });

  it("are refused of an unknown kind, without a listener, and with unknown options", async () => {
    const engine = await openEngine();
    for (const [kind, listener, options] of [
      ["full", () => undefined, {}],
      ["storage-full", "x", {}],
      ["storage-full", () => undefined, { once: true }],
      ["storage-full", () => undefined, { signal: 5 }],
    ]) {
      const failure = await failureOf(
        (async () =>
          engine.on(...([kind, listener, options] as never as Parameters<Opened["on"]>)))(),
      );
      expect(failure).toBeInstanceOf(InvalidArgumentError);
    }
  });
});

describe("a page that ends right after putRecord", () => {
  it("hands the record over although its task is not over", async () => {
    const description = { name: "clicks", uid: 1, recordKibMax: 1024 };
    const page = await openPage([{ call: async () => description as never }], newOrigin());
    const millrace = new Millrace(page.client, false);
    const stream = await millrace.streams.get("clicks");
    void failureOf(stream.putRecord({ partitionKey: "k", data: "the last click" }));
    page.hide();
    const [[batch] = []] = page.kept;
    expect(new TextDecoder().decode(batch?.bytes)).toContain("the last click");
    expect(Object.values(page.storage).join()).toContain("the last click");
    const closing = failureOf(millrace.close());
    await turns();
    await page.clock.advance(40_000);
    await closing;
  });
});

describe("an engine that is not shared", () => {
  it("tells that it is alone", async () => {
    const engine = await openEngine();
    expect(await engine.member()).toMatchObject({ role: "alone" });
  });

  it("checks its store", async () => {
    const engine = await openEngine();
    expect(await engine.check()).toMatchObject({ damage: [] });
  });
});
