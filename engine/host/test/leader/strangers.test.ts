/** Messages that no build of ours sends: they do no harm to the contexts and the broker that hear them. */
import { describe, expect, it } from "vitest";
import { OWN_CODE } from "../../src/leader/code-version.ts";
import { LeaderDesk } from "../../src/leader/leader-desk.ts";
import { InProcessLocks } from "../../src/platform/in-process-locks.ts";
import type { Port } from "../../src/platform/platform.ts";
import { engineDouble } from "../rpc/double.ts";
import { Tabs } from "../support/members.ts";

const GARBAGE: readonly object[] = [
  { kind: "leads" },
  { kind: "leads", epoch: "9", leaderId: "x", code: OWN_CODE },
  { kind: "leads", epoch: 9, leaderId: "x", code: null },
  { kind: "please-yield", memberId: "x" },
  { kind: "please-yield", memberId: "x", code: { protocol: 9, version: 9, walFormat: 9 } },
  { kind: "resigns" },
  { kind: "relay", from: "x", number: 1 },
  { kind: "of-the-future" },
];

/** Tabs whose messages may do harm: what is thrown where one arrives, as a worker's uncaught error would be. */
function watchedTabs(): { tabs: Tabs; thrown: unknown[] } {
  const thrown: unknown[] = [];
  const deliver = (task: () => void): void =>
    queueMicrotask(() => {
      try {
        task();
      } catch (error) {
        thrown.push(error);
      }
    });
  return { tabs: new Tabs({ deliver }), thrown };
}

describe("messages of strangers", () => {
  it("on the broadcast channel change nothing", async () => {
    const { tabs, thrown } = watchedTabs();
    const first = await tabs.open();
    const second = await tabs.open();
    const { leaderId } = await second.status();
    const stranger = tabs.platform.network.of("stranger").broadcast("millrace:test");
    for (const message of [null, "x", ...GARBAGE]) {
      stranger.post(
        typeof message === "object" && message !== null ? { millrace: 1, ...message } : message,
      );
      stranger.post({ millrace: 1, to: leaderId, ...(typeof message === "object" ? message : {}) });
    }
    await tabs.pass(200);
    expect(thrown).toEqual([]);
    expect((await first.status()).role).toBe("leader");
    expect((await second.status()).leaderId).toBe(leaderId);
  });

  it("to the broker and on a connection change nothing", async () => {
    const { tabs, thrown } = watchedTabs();
    const first = await tabs.open();
    const channels = tabs.platform.network.of("stranger");
    const broker = channels.broker();
    const say = (message: object, transfer: Port[] = []): void =>
      broker?.post({ broker: 1, engine: "test", ...message }, transfer);
    for (const message of [
      { kind: "connect" },
      { kind: "connect", port: { post: "x" } },
      { kind: "lead", epoch: "x" },
      { kind: "keep", batches: 7 },
      { kind: "keep", batches: [null, { bytes: "x" }] },
    ]) {
      say(message);
    }
    for (const hello of [{ kind: "hello" }, { kind: "hello", code: OWN_CODE, memberId: {} }]) {
      const [own, given] = channels.pair();
      own.post(hello);
      own.post({ id: 1, kind: "put" });
      say({ kind: "connect", port: given }, [given]);
    }
    await tabs.pass(100);
    const second = await tabs.open();
    const stream = await tabs.createStream(second);
    await tabs.until(second.put(stream, "a"));
    expect(await second.status()).toMatchObject({ role: "follower", transport: "port" });
    expect(await first.status()).toMatchObject({ members: 2 });
    expect(thrown).toEqual([]);
  });

  it("of another protocol leave no connection behind", () => {
    let listener: (message: unknown) => void = () => undefined;
    const said: unknown[] = [];
    let closed = false;
    const port: Port = {
      post: (message) => said.push(message),
      listen: (given) => {
        listener = given;
      },
      close: () => {
        closed = true;
      },
    };
    const desk = new LeaderDesk({
      ...{ name: "test", locks: new InProcessLocks(), engine: engineDouble({}) },
      ...{ epoch: 1, leaderId: "leader", code: OWN_CODE },
    });
    desk.accept(port);
    listener({ kind: "hello", code: { ...OWN_CODE, protocol: 99 }, memberId: "m" });
    expect(said).toEqual([{ kind: "unsupported", code: OWN_CODE }]);
    expect(closed).toBe(true);
  });
});
