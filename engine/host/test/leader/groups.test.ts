/** Consumer groups over changes of leader: leases stay with the living, epochs count once. */
import { describe, expect, it } from "vitest";
import { LeaseLostError } from "../../src/errors/index.ts";
import type { StreamDescription } from "../../src/service/engine-service.ts";
import { buildBatch, readResult, readSlice } from "../support/batches.ts";
import { failureOf } from "../support/failures.ts";
import { CopyJob } from "../support/group-jobs.ts";
import { at, createGroup, outputOf, TestWorker } from "../support/groups.ts";
import { type Tab, Tabs } from "../support/members.ts";
import { numberOf, someRecords } from "../support/records.ts";

interface Scene {
  readonly tabs: Tabs;
  readonly leader: Tab;
  readonly follower: Tab;
  readonly input: StreamDescription;
  readonly output: StreamDescription;
}

/** Two tabs, the first of which leads; a stream with ten records, a group over it, and a stream to put into. */
async function scene(broker = true): Promise<Scene> {
  const tabs = new Tabs({ broker });
  const leader = await tabs.open();
  const follower = await tabs.open();
  const input = await tabs.createStream(leader, "input");
  const output = await tabs.createStream(leader, "output");
  await put(tabs, leader, input, 0, 10);
  await tabs.until(createGroup(leader.service, input));
  return { tabs, leader, follower, input, output };
}

let batchNumber = 0;

async function put(
  tabs: Tabs,
  tab: Tab,
  { uid }: StreamDescription,
  first: number,
  count: number,
): Promise<void> {
  batchNumber += 1;
  const records = someRecords(count, 20, first);
  const batch = buildBatch({ streamUid: uid, batchNumber: 1, producer: batchNumber, records });
  readResult(await tabs.until(tab.service.put(batch, undefined, { settledBefore: 1, ageMs: 0 })));
}

/** A worker with its leases. */
async function join(tabs: Tabs, tab: Tab, workerId: string): Promise<TestWorker> {
  const { memberId } = await tab.status();
  const worker = await tabs.until(TestWorker.join(tab.service, "group", workerId, { memberId }));
  for (let i = 0; i < 20 && worker.leases.length === 0; i += 1) await tabs.until(worker.poll(100));
  return worker;
}

async function numbers(tabs: Tabs, tab: Tab, { uid }: StreamDescription): Promise<number[]> {
  const found: number[] = [];
  for (let nextIndex = 0; ; ) {
    const request = {
      ...{ streamUid: uid, cursors: [{ shardIndex: 0, nextIndex }] },
      ...{ recordsMax: 1000, bytesMax: 1_048_576, waitMs: 0 },
    };
    const [part] = readSlice(
      await tabs.until(tab.service.read(request, new AbortController().signal)),
    );
    if (part === undefined || part.records.length === 0) return found;
    found.push(...part.records.map(numberOf));
    nextIndex = part.nextIndex;
  }
}

describe.each([{ broker: true }, { broker: false }])("with a broker: $broker", ({ broker }) => {
  it("an epoch whose leader dies between the commit and the answer counts once", async () => {
    const { tabs, leader, follower, output } = await scene(broker);
    const worker = await join(tabs, follower, "one");
    const disk = tabs.platform.stores.disk("test");
    const frames = disk.frameNumbers().length;
    let answered = false;
    const commit = worker.commit(worker.commitOf(0, at(5), { state: { key: 1 } }), [
      outputOf(output, someRecords(5)),
    ]);
    void commit.then(() => {
      answered = true;
    });
    for (let i = 0; i < 5000 && disk.frameNumbers().length === frames; i += 1) {
      await Promise.resolve();
      if (i % 50 === 49) await tabs.platform.clock.advance(1);
    }
    expect(disk.frameNumbers().length).toBe(frames + 1);
    expect(answered).toBe(false);
    leader.context.kill();
    expect(await tabs.until(commit)).toEqual({ repeated: true });
    expect(await numbers(tabs, follower, output)).toEqual([0, 1, 2, 3, 4]);
  });

  it("an epoch whose leader dies before the commit is committed by the next one", async () => {
    const { tabs, leader, follower, output } = await scene(broker);
    const worker = await join(tabs, follower, "one");
    const never = new Promise<void>(() => undefined);
    tabs.platform.stores.faults.add({
      ...{ kind: "none", nth: 1, operations: ["appendFrame"], until: never },
    });
    const outputs = [outputOf(output, someRecords(5))];
    const commit = worker.commit(worker.commitOf(0, at(5)), outputs);
    await tabs.pass(200);
    leader.context.kill();
    expect(await tabs.until(commit)).toEqual({ repeated: false });
    expect(await numbers(tabs, follower, output)).toEqual([0, 1, 2, 3, 4]);
  });

  it("a deposed leader commits nothing more, and its own worker's epoch goes to the next one", async () => {
    const { tabs, leader, follower, output } = await scene(broker);
    const worker = await join(tabs, leader, "one");
    const thief = await tabs.platform.locks.of("thief").acquire("millrace:test:writer", {
      steal: true,
    });
    const commit = worker.commit(worker.commitOf(0, at(5)), [outputOf(output, someRecords(5))]);
    thief.release();
    await tabs.until(commit);
    expect(await numbers(tabs, follower, output)).toEqual([0, 1, 2, 3, 4]);
    const stale = worker.commitOf(0, at(6));
    const lost = failureOf(tabs.until(worker.commit(stale, [outputOf(output, someRecords(5))])));
    expect(await lost).toBeInstanceOf(LeaseLostError);
  });
});

describe("workers", () => {
  it("keep their leases over a change of leader when they join again", async () => {
    const { tabs, leader, follower } = await scene();
    const worker = await join(tabs, follower, "one");
    expect(worker.lease(0).leaseCounter).toBe(1);
    leader.context.kill();
    await tabs.pass(2000);
    const again = await join(tabs, follower, "one");
    expect(again.lease(0).leaseCounter).toBe(1);
    const { workers } = await tabs.until(
      follower.service.call("groupsDescribe", { name: "group" }),
    );
    expect(workers).toMatchObject([{ workerId: "one", joined: true, leases: 1 }]);
  });

  it("that live are waited for by the next leader, and others do not get their leases", async () => {
    const { tabs, leader, follower } = await scene();
    await join(tabs, follower, "one");
    const third = await tabs.open();
    leader.context.kill();
    await tabs.pass(1000);
    const { memberId } = await third.status();
    const two = await tabs.until(TestWorker.join(third.service, "group", "two", { memberId }));
    for (let i = 0; i < 8; i += 1) expect(await tabs.until(two.poll(1000))).toEqual([]);
    for (let i = 0; i < 4; i += 1) await tabs.until(two.poll(1000));
    expect(two.leases).toMatchObject([{ shardIndex: 0, leaseCounter: 2 }]);
  });

  it("whose tab dies lose their leases at once, under any leader", async () => {
    const { tabs, leader, follower } = await scene();
    await join(tabs, follower, "one");
    const two = await join(tabs, leader, "two");
    expect(two.leases).toEqual([]);
    const arriving = two.poll(20_000);
    follower.context.kill();
    await tabs.pass(100);
    expect(await arriving).toMatchObject([{ leaseCounter: 2 }]);
    // The leader's own worker dies with it: the next leader finds its lock free.
    const third = await tabs.open();
    leader.context.kill();
    await tabs.pass(1000);
    const three = await join(tabs, third, "three");
    expect(three.leases).toMatchObject([{ leaseCounter: 3 }]);
  });
});

describe("a copy of a stream, record by record", () => {
  it("is whole, without doubles and in order after twenty changes of leader", async () => {
    const { tabs, leader, follower, input, output } = await scene();
    const spare = [leader, follower];
    const stays = await tabs.open();
    const { memberId } = await stays.status();
    const { service } = stays;
    const job = new CopyJob({ service, memberId, workerId: "one", input, output });
    let written = 10;
    for (let round = 0; round < 20; round += 1) {
      await put(tabs, stays, input, written, 20);
      written += 20;
      await tabs.pass(50);
      spare.push(await tabs.open());
      const victim = spare.shift();
      if (round % 2 === 0) victim?.context.kill();
      else if (victim !== undefined) await tabs.until(victim.service.close());
    }
    for (let i = 0; i < 100 && (await numbers(tabs, stays, output)).length < written; i += 1) {
      await tabs.pass(200);
    }
    await tabs.until(job.stop());
    const copied = await numbers(tabs, stays, output);
    expect(copied).toEqual(Array.from({ length: written }, (_, i) => i));
  }, 120_000);
});
