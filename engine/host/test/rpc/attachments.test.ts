/** Other threads of a page at its engine worker: over ports of their own, to its end and that of the worker. */
import { afterEach, describe, expect, it } from "vitest";
import { DeadlineError, EngineClosedError, VersionMismatchError } from "../../src/errors/index.ts";
import { attachOver, openAttached, type Wire } from "../../src/rpc/attached-engine.ts";
import type { EngineClient } from "../../src/rpc/client.ts";
import { isHello } from "../../src/rpc/messages.ts";
import type { ControlOperations, EngineService } from "../../src/service/engine-service.ts";
import { turns } from "../support/turns.ts";
import { batchOf, keep, never, openRestarting, outcome } from "./double.ts";

const JOIN = { groupName: "group", workerId: "one", memberId: null };
const READ = {
  ...{ streamUid: 1, cursors: [{ shardIndex: 0, nextIndex: 0 }] },
  ...{ recordsMax: 10, bytesMax: 1000, waitMs: 20_000 },
};

/** Two ends of a way between threads. */
function wires(): { readonly page: Wire; readonly thread: Wire; close(): void } {
  const { port1, port2 } = new MessageChannel();
  const wireOf = (port: MessagePort): Wire => ({
    post: (message, transfer = []) => port.postMessage(message, transfer),
    listen: (listener) => {
      port.addEventListener("message", ({ data }) => listener(data));
      port.start();
    },
  });
  return { page: wireOf(port1), thread: wireOf(port2), close: () => port1.close() };
}

const over: (() => void)[] = [];
afterEach(() => {
  for (const end of over.splice(0)) end();
});

/** A thread that is attached to a page. */
async function attach(page: EngineClient): Promise<{ thread: EngineClient; end: () => void }> {
  const ways = wires();
  const end = attachOver(page, ways.page);
  over.push(end, ways.close);
  const thread = await openAttached(page.name, ways.thread);
  over.push(() => void outcome(thread.close()));
  return { thread, end };
}

type PageClient = EngineClient["call"];

/** A client whose calls go another way. */
function calling(client: EngineClient, call: PageClient): EngineClient {
  return new Proxy(client, {
    get: (target, member) => (member === "call" ? call : Reflect.get(target, member, target)),
  });
}

type Asked = [keyof ControlOperations, unknown];

/** An engine that joins whoever asks, and notes what it is asked. */
function joining(asked: Asked[], more: Partial<EngineService> = {}): Partial<EngineService> {
  return {
    call: async (operation, argument) => {
      asked.push([operation, argument]);
      const sessionId = `session-${asked.length}`;
      return (operation === "groupJoin" ? { sessionId } : null) as never;
    },
    ...more,
  };
}

describe("a thread that is attached", () => {
  it("calls, puts, reads and commits over ports of its own, with numbers of its own", async () => {
    const asked: Asked[] = [];
    const { client, puts } = keep(
      await openRestarting([
        joining(asked, {
          put: async () => new ArrayBuffer(40),
          read: async () => new ArrayBuffer(7),
          commitEpoch: async () => ({ repeated: true }),
        }),
      ]),
    );
    const { thread } = await attach(client);
    await client.put(batchOf(64));
    await client.put(batchOf(64));
    expect((await thread.put(batchOf(64)))?.byteLength).toBe(40);
    expect((await thread.read(READ)).byteLength).toBe(7);
    const commit = { groupName: "g", workerId: "w", checkpoints: [], state: [] };
    expect(await thread.commitEpoch(commit, [])).toEqual({ repeated: true });
    await thread.call("groupsDelete", { name: "group" });
    expect(asked).toEqual([["groupsDelete", { name: "group" }]]);
    expect(puts.map(({ number }) => number)).toEqual([1, 2, 1]);
  });

  it("closes without closing its page's engine", async () => {
    let closed = 0;
    const close = async (): Promise<void> => {
      closed += 1;
    };
    const asked: Asked[] = [];
    const { client } = keep(await openRestarting([joining(asked, { close })]));
    const { thread } = await attach(client);
    await thread.close();
    await client.call("groupsDelete", { name: "group" });
    expect(closed).toBe(0);
    expect(thread.closed).toBe(true);
    expect(await outcome(thread.call("now", {}))).toBeInstanceOf(EngineClosedError);
  });

  it("cannot attach anybody itself", async () => {
    const asked: Asked[] = [];
    const { client } = keep(await openRestarting([joining(asked)]));
    const { thread } = await attach(client);
    await thread.call("attachmentEnd", { id: "any" });
    expect(asked).toEqual([["attachmentEnd", { id: "any" }]]);
  });

  it("leaves its groups and reads no more when its page ends it, whatever it is doing", async () => {
    const asked: Asked[] = [];
    let aborted = false;
    const read: EngineService["read"] = (_request, signal) => {
      signal.addEventListener("abort", () => {
        aborted = true;
      });
      return never;
    };
    const { client } = keep(await openRestarting([joining(asked, { read })]));
    const { thread, end } = await attach(client);
    await thread.call("groupJoin", JOIN);
    const left = await thread.call("groupJoin", { ...JOIN, workerId: "two" });
    const { sessionId } = left;
    await thread.call("groupLeave", { groupName: "group", sessionId, workerId: "two" });
    void outcome(thread.read(READ));
    await turns();
    asked.length = 0;
    end();
    await turns();
    expect(asked).toEqual([
      ["groupLeave", { groupName: "group", sessionId: "session-1", workerId: JOIN.workerId }],
    ]);
    expect(aborted).toBe(true);
  });

  it("is attached to the next worker when its page's worker dies, and what was under way goes on", async () => {
    const [before, after]: [Asked[], Asked[]] = [[], []];
    const { client, threads, puts } = keep(
      await openRestarting([
        joining(before),
        joining(after, { put: async () => new ArrayBuffer(40) }),
      ]),
    );
    const { thread } = await attach(client);
    const other = await attach(client);
    const put = thread.put(batchOf(64));
    await turns();
    threads[0]?.fail("out of memory");
    expect((await put)?.byteLength).toBe(40);
    expect(puts.map(({ thread: by, number }) => [by, number])).toEqual([
      [0, 1],
      [1, 1],
    ]);
    await other.thread.call("groupsDelete", { name: "group" });
    expect([before.length, after.length]).toEqual([0, 1]);
  });

  it("leaves a group once, however often its worker joined", async () => {
    const asked: Asked[] = [];
    const { client } = keep(await openRestarting([joining(asked)]));
    const { thread, end } = await attach(client);
    for (let i = 0; i < 3; i++) await thread.call("groupJoin", JOIN);
    asked.length = 0;
    end();
    await turns();
    expect(asked).toEqual([
      ["groupLeave", { groupName: "group", sessionId: "session-3", workerId: JOIN.workerId }],
    ]);
  });

  it("is attached with other ports when the worker dies while it attaches", async () => {
    const after: Asked[] = [];
    const { client, threads } = keep(await openRestarting([{}, joining(after)]));
    const ways = wires();
    let killed = false;
    const page: PageClient = (operation, argument, deadlineMs) => {
      const answer = client.call(operation, argument, deadlineMs);
      if (operation === "attach" && !killed) {
        killed = true;
        threads[0]?.fail("out of memory");
      }
      return answer;
    };
    over.push(attachOver(calling(client, page), ways.page), ways.close);
    const thread = await openAttached(client.name, ways.thread);
    over.push(() => void outcome(thread.close()));
    await thread.call("groupsDelete", { name: "group" });
    expect(after).toEqual([["groupsDelete", { name: "group" }]]);
  });

  it("is ended in the worker when the answer came too late", async () => {
    const { client } = keep(await openRestarting([joining([])]));
    const ways = wires();
    const ids: unknown[] = [];
    const page: PageClient = async (operation, argument, deadlineMs) => {
      ids.push([operation, "id" in argument && argument.id]);
      const answer = await client.call(operation, argument, deadlineMs);
      if (operation === "attach") throw new DeadlineError("too late");
      return answer;
    };
    over.push(attachOver(calling(client, page), ways.page), ways.close);
    const failure = await outcome(openAttached(client.name, ways.thread));
    expect(failure).toBeInstanceOf(DeadlineError);
    const [[, id] = []] = ids as string[][];
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(ids).toEqual([
      ["attach", id],
      ["detach", id],
    ]);
  });

  it("is refused when it is of another build", async () => {
    const { client } = keep(await openRestarting([{}]));
    const ways = wires();
    over.push(attachOver(client, ways.page), ways.close);
    const stale: Wire = {
      ...ways.thread,
      post: (message, transfer) =>
        ways.thread.post(isHello(message) ? { ...message, buildId: "another" } : message, transfer),
    };
    const opening = outcome(openAttached(client.name, stale));
    expect(await opening).toBeInstanceOf(VersionMismatchError);
  });
});
