/** Replicas while lists are behind, tokens and iterators outlive an outage, clocks disagree, and ends come early. */
import { request } from "node:http";
import { ExpiredNextTokenError } from "@millrace/engine";
import { afterEach, describe, expect, it, vi } from "vitest";
import { listRemoteShards } from "../../src/remote/remote-description.ts";
import { answer, forward } from "../remote/stub-endpoint.ts";
import { advance, endLater, openRemote, startServe } from "../remote/support.ts";
import { failureOf } from "../support.ts";
import {
  integers,
  numbered,
  numbersIn,
  openBehind,
  openCopy,
  replicate,
  until,
} from "./replica-support.ts";

interface ListedShard {
  readonly ShardId: string;
  readonly ParentShardId?: string;
}

type Question = Parameters<typeof forward>[1];

/** Answers ListShards as the far side does, without some of the shards. */
function listWithout(
  url: string,
  { body, incoming, response }: Question,
  hides: (shard: ListedShard) => boolean,
): void {
  const onward = request(url, { method: "POST", headers: incoming.headers }, (answered) => {
    const chunks: Buffer[] = [];
    answered.on("data", (chunk: Buffer) => chunks.push(chunk));
    answered.on("end", () => {
      const list = JSON.parse(Buffer.concat(chunks).toString()) as { Shards: ListedShard[] };
      answer(response, 200, { ...list, Shards: list.Shards.filter((shard) => !hides(shard)) });
    });
  });
  onward.end(body);
}

afterEach(() => {
  vi.useRealTimers();
});

describe("a list of the source's shards", () => {
  it.each([
    ["both children", ({ ParentShardId }: ListedShard) => ParentShardId !== undefined],
    ["one child", ({ ShardId }: ListedShard) => ShardId.endsWith("3")],
  ])("that lacks %s of a split for a while is asked for again", async (_what, hides) => {
    const { url } = await startServe();
    const far = await (await openRemote(url)).streams.create("clicks", { shards: 2 });
    let lists = 0;
    let hiding = false;
    const behind = await openBehind(url, (operation, question) => {
      if (operation !== "ListShards" || !hiding) return false;
      lists += 1;
      listWithout(url, question, hides);
      return true;
    });
    const replica = await replicate(await behind.streams.get("clicks"), await openCopy());
    let caughtUp = 0;
    replica.on("caught-up", () => {
      caughtUp += 1;
    });
    await until(() => caughtUp === 1);
    hiding = true;
    await far.split("shardId-000000000000");
    await far.putRecords(numbered(0, 100));
    await until(() => lists >= 2);
    expect(await replica.status()).toMatchObject({ lagMs: undefined });
    expect(caughtUp).toBe(1);
    hiding = false;
    await until(() => caughtUp === 2);
    expect(await replica.status()).toMatchObject({ copiedRecords: 100, lagMs: 0, gaps: [] });
  });

  it("that does not show shards which the copy knows is no word that they are gone", async () => {
    const { url } = await startServe();
    const far = await (await openRemote(url)).streams.create("clicks", { shards: 2 });
    const near = await openCopy();
    await far.split("shardId-000000000000");
    await far.putRecords(numbered(0, 100));
    const first = await replicate(far, near);
    await until(async () => (await first.status()).copiedRecords === 100);
    await first.stop();
    let lists = 0;
    let hiding = false;
    const behind = await openBehind(url, (operation, question) => {
      if (operation !== "ListShards" || !hiding) return false;
      lists += 1;
      listWithout(url, question, ({ ParentShardId }) => ParentShardId !== undefined);
      return true;
    });
    const source = await behind.streams.get("clicks");
    hiding = true;
    const second = await replicate(source, near);
    await until(() => lists >= 2);
    hiding = false;
    await far.putRecords(numbered(100, 200));
    await until(async () => (await second.status()).copiedRecords >= 100);
    expect((await second.status()).gaps).toEqual([]);
    expect(await numbersIn(near)).toEqual(integers(0, 200));
  });

  it("whose token expires before all is read is asked for from the beginning, three times at most", async () => {
    const shard = (index: number) => ({
      ShardId: `shardId-00000000000${index}`,
      HashKeyRange: { StartingHashKey: "0", EndingHashKey: "1" },
      SequenceNumberRange: { StartingSequenceNumber: "1" },
    });
    let expires = 1;
    const call = async (_operation: string, input: { readonly NextToken?: string }) => {
      if (input.NextToken === undefined) return { Shards: [shard(0)], NextToken: "next" };
      if (expires-- > 0) throw new ExpiredNextTokenError("it is too old");
      return { Shards: [shard(1)] };
    };
    const list = (): ReturnType<typeof listRemoteShards> =>
      Reflect.apply(listRemoteShards, undefined, [{ call }, "clicks"]);
    expect((await list()).map(({ shardIndex }) => shardIndex)).toEqual([0, 1]);
    expires = 1000;
    expect(await failureOf(list())).toBeInstanceOf(ExpiredNextTokenError);
  });
});

describe("an iterator that expires before it was used", () => {
  it("in an outage of more than five minutes is asked for anew", async () => {
    const { url } = await startServe({ time: "virtual" });
    const far = await (await openRemote(url)).streams.create("clicks");
    await far.putRecords(numbered(0, 10));
    let failures = 0;
    let isOut = true;
    const behind = await openBehind(url, (operation, { response }) => {
      if (operation !== "GetRecords" || !isOut) return false;
      failures += 1;
      response.destroy();
      return true;
    });
    const near = await openCopy();
    const replica = await replicate(await behind.streams.get("clicks"), near);
    await until(() => failures > 1);
    await advance(url, 301_000);
    isOut = false;
    await until(async () => (await replica.status()).copiedRecords === 10);
    expect(await replica.status()).toMatchObject({ state: "running", reason: undefined });
  });

  it("as soon as it is given out is told in the end", async () => {
    const { url } = await startServe();
    await (await openRemote(url)).streams.create("clicks");
    const behind = await openBehind(url, (operation, { response }) => {
      const expires = operation === "GetRecords";
      if (expires) answer(response, 400, { __type: "ExpiredIteratorException", message: "no" });
      return expires;
    });
    const replica = await replicate(await behind.streams.get("clicks"), await openCopy());
    await until(async () => (await replica.status()).state === "paused");
    expect((await replica.status()).reason).toMatchObject({ name: "ExpiredIteratorError" });
  });
});

describe("a replica from LATEST that was broken off before there was a record", () => {
  it("goes on with all that came, though this machine's clock is ahead, and with little before", async () => {
    const { url } = await startServe({ time: "virtual" });
    const far = await (await openRemote(url)).streams.create("clicks");
    const near = await openCopy();
    const farMs = Date.now();
    await far.putRecords(numbered(0, 10));
    await advance(url, 600_000);
    // Three seconds ahead of the far side's clock, which stands still.
    vi.useFakeTimers({ toFake: ["Date"], now: farMs + 603_000 });
    const ending = new AbortController();
    const first = await replicate(far, near, { from: "LATEST", signal: ending.signal });
    await until(async () => (await first.status()).lagMs === 0);
    ending.abort();
    await first.finished;
    await far.putRecords(numbered(10, 20));
    const second = await replicate(far, near, { from: "LATEST" });
    await far.putRecords(numbered(20, 30));
    await until(async () => (await numbersIn(near)).includes(29));
    expect(await numbersIn(near)).toEqual(integers(10, 30));
    expect((await second.status()).gaps).toEqual([]);
  });
});

describe("the end of a replica", () => {
  it("comes when the far side begins to close, though a call is under way there", async () => {
    const { url } = await startServe();
    await (await openRemote(url)).streams.create("clicks");
    const held: Question[] = [];
    const remote = await openBehind(url, (operation, question) => {
      if (operation !== "PutRecords") return false;
      held.push(question);
      return true;
    });
    const far = await remote.streams.get("clicks");
    const replica = await replicate(far, await openCopy());
    await until(async () => (await replica.status()).state === "running");
    const put = far.putRecords(numbered(0, 5));
    await until(() => held.length > 0);
    const closing = remote.close();
    expect(await failureOf(replica.finished)).toMatchObject({ name: "EngineClosedError" });
    expect(replica.closed).toBe(true);
    for (const question of held) forward(url, question);
    await put;
    await closing;
  });

  it("is told once: whatever ends after it is no state any more", async () => {
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks");
    const near = await openCopy();
    const list = near.shards.bind(near);
    const ending = new AbortController();
    const replica = await replicate(far, near, { signal: ending.signal });
    const states: string[] = [];
    replica.on("changed", ({ state }) => states.push(state));
    await until(async () => (await replica.status()).state === "running");
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    endLater(release);
    let hangs = 0;
    vi.spyOn(near, "shards").mockImplementation(async () => {
      hangs += 1;
      await released;
      return await list();
    });
    await until(() => hangs > 0);
    ending.abort();
    await replica.finished;
    release();
    // The seat hears its answer, and leaves its place.
    await Promise.all(Array.from({ length: 5 }, () => list()));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(states.at(-1)).toBe("stopped");
    expect(await replica.status()).toMatchObject({ state: "stopped" });
  });
});

describe("the name of a replica", () => {
  it("is short enough for a group, and another one for every stream", async () => {
    const remote = await openRemote((await startServe()).url);
    const near = await openCopy();
    const names: string[] = [];
    for (const last of ["a", "b"]) {
      const far = await remote.streams.create(`${"n".repeat(127)}${last}`);
      names.push((await replicate(far, near)).name);
    }
    expect(new Set(names).size).toBe(2);
    for (const name of names) expect(name).toMatch(/^replica-of-n+-[0-9a-f]{8}$/);
    expect(names.map(({ length }) => length)).toEqual([128, 128]);
  });
});
