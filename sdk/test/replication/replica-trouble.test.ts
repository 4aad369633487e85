/** Replicas while things go wrong: crashes, outages, what expires, and what only somebody can mend. */

import { KinesisClient } from "@aws-sdk/client-kinesis";
import { describe, expect, it } from "vitest";
import type { ReplicationEvent } from "../../src/replication/replication-types.ts";
import { answer } from "../remote/stub-endpoint.ts";
import { advance, openRemote, startServe } from "../remote/support.ts";
import { failureOf } from "../support.ts";
import {
  disorderedKeys,
  integers,
  numbered,
  numbersIn,
  openBehind,
  openCopy,
  openLocal,
  readAll,
  replicate,
  until,
} from "./replica-support.ts";

const DAY_MS = 86_400_000;

describe("a replica that is broken off", () => {
  it("in the middle of what it copies, twenty times, leaves nothing out and repeats nothing", async () => {
    const { url } = await startServe();
    const far = await (await openRemote(url)).streams.create("clicks", { shards: 3 });
    await far.putRecords(numbered(0, 6000));
    let left = 0;
    let held = 0;
    const slow = await openBehind(url, (operation, { body }) => {
      if (operation !== "GetRecords") return false;
      if (left === 0) {
        // Nobody reads on before the life is over, however fast or slow the machine is.
        held += 1;
        return true;
      }
      left -= 1;
      // Small answers, so that there is always something in the middle; the same length, as the header says it.
      const text = body.toString().replace('"Limit":10000', '"Limit":00070');
      body.write(text.replace("00070", "70   "));
      return false;
    });
    const source = await slow.streams.get("clicks");
    const near = await openCopy(2);
    let done = 0;
    for (let life = 0; life < 20; life++) {
      const ending = new AbortController();
      [left, held] = [2 + (life % 4), 0];
      const replica = await replicate(source, near, { signal: ending.signal });
      await until(() => held > 0);
      ending.abort();
      await replica.finished;
      done += (await replica.status()).copiedRecords;
    }
    // At most 70 answers of 70 records each.
    expect(done).toBeGreaterThan(0);
    expect(done).toBeLessThan(6000);
    const last = await replicate(await (await openRemote(url)).streams.get("clicks"), near);
    await until(async () => (await last.status()).lagMs === 0);
    expect(await numbersIn(near)).toEqual(integers(0, 6000));
    expect(disorderedKeys(await readAll(near))).toEqual([]);
  }, 120_000);

  it("is gone on with by another one that waited for it", async () => {
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks");
    const near = await openCopy();
    const first = await replicate(far, near);
    await far.putRecords(numbered(0, 10));
    await until(async () => (await first.status()).copiedRecords === 10);
    const second = await replicate(far, near);
    expect(await second.status()).toMatchObject({ state: "standby", copiedRecords: 0 });
    await first.stop();
    expect(await first.status()).toMatchObject({ state: "stopped" });
    await far.putRecords(numbered(10, 20));
    await until(async () => (await second.status()).copiedRecords === 10);
    expect(await numbersIn(near)).toEqual(integers(0, 20));
  });
});

describe("replicas that share the leases of a local stream", () => {
  it("copy each record once, whichever of them has the right to", async () => {
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks", {
      shards: 2,
    });
    const near = await openCopy(4);
    let put = 0;
    let running = await replicate(far, near);
    for (let turn = 0; turn < 5; turn++) {
      const other = await replicate(far, near);
      await far.putRecords(numbered(put, put + 100));
      put += 100;
      await until(async () => (await numbersIn(near)).length > put - 60);
      await running.stop();
      running = other;
    }
    await until(async () => (await numbersIn(near)).length >= put);
    expect(await numbersIn(near)).toEqual(integers(0, put));
    expect(disorderedKeys(await readAll(near))).toEqual([]);
  });
});

describe("a local stream", () => {
  it("whose shard knew where the copy stood, and expired, is not copied into anew", async () => {
    const engine = await openLocal({ time: "virtual" });
    const near = await engine.streams.create("copy");
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks");
    await far.putRecords(numbered(0, 10));
    const first = await replicate(far, near);
    await until(async () => (await first.status()).copiedRecords === 10);
    await first.stop();
    await engine.time.advance(10_000);
    await near.split("shardId-000000000000");
    await engine.time.advance(2 * DAY_MS);
    await until(async () => (await near.shards()).every(({ shardIndex }) => shardIndex !== 0));
    const second = await replicate(far, near);
    await until(async () => (await second.status()).state === "paused");
    const { reason, copiedRecords } = await second.status();
    expect(reason).toMatchObject({ name: "ResourceNotFoundError", argument: "name" });
    expect(copiedRecords).toBe(0);
  });
});

describe("outages", () => {
  it("and throttles are ridden out and told, and the network's return is not waited for in vain", async () => {
    const { url } = await startServe();
    const far = await (await openRemote(url)).streams.create("clicks", { shards: 2 });
    await far.putRecords(numbered(0, 100));
    let trouble: "none" | "outage" | "throttle" = "outage";
    const behind = await openBehind(url, (_operation, { response, incoming }) => {
      if (trouble === "outage") incoming.socket.destroy();
      if (trouble === "throttle") {
        answer(response, 400, { __type: "ProvisionedThroughputExceededException", message: "" });
      }
      return trouble !== "none";
    });
    trouble = "none";
    const source = await behind.streams.get("clicks");
    trouble = "outage";
    const near = await openCopy();
    const listeners = new Set<() => void>();
    let online = true;
    const network = {
      online: () => online,
      onChange: (listener: () => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      onLeave: () => () => undefined,
    };
    const replica = await replicate(source, near, { network });
    const told: ReplicationEvent["kind"][] = [];
    for (const kind of ["outage", "throttled", "caught-up"] as const) {
      replica.on(kind, (event) => told.push(event.kind));
    }
    await until(() => told.filter((kind) => kind === "outage").length > 2);
    online = false;
    await until(async () => (await replica.status()).state === "waiting-offline");
    expect(await replica.status()).toMatchObject({ copiedRecords: 0, reason: undefined });
    trouble = "throttle";
    await until(() => told.includes("throttled"));
    trouble = "none";
    online = true;
    for (const listener of listeners) listener();
    await until(async () => (await replica.status()).copiedRecords === 100);
    await until(() => told.includes("caught-up"));
    const { state, retries, lastError } = await replica.status();
    expect(state).toBe("running");
    expect(retries).toBe(told.filter((kind) => kind !== "caught-up").length);
    expect(lastError).toMatchObject({ retryable: true });
    expect(await numbersIn(near)).toEqual(integers(0, 100));
  });
});

describe("pausing", () => {
  it("stops the copying until it goes on", async () => {
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks");
    const near = await openCopy();
    const replica = await replicate(far, near);
    const states: string[] = [];
    replica.on("changed", ({ state }) => states.push(state));
    await far.putRecords(numbered(0, 10));
    await until(async () => (await replica.status()).copiedRecords === 10);
    await replica.pause();
    expect(await replica.status()).toMatchObject({ state: "paused", reason: undefined });
    await far.putRecords(numbered(10, 20));
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(await numbersIn(near)).toEqual(integers(0, 10));
    replica.resume();
    await until(async () => (await replica.status()).copiedRecords === 20);
    expect(await numbersIn(near)).toEqual(integers(0, 20));
    await until(() => states.at(-1) === "running");
    expect(states.slice(states.indexOf("paused"))).toEqual(["paused", "starting", "running"]);
  });
});

describe("a local engine without room", () => {
  it("is waited for, can be left meanwhile, and gets everything once when it has room", async () => {
    const engine = await openLocal({ storageBudgetBytes: 16_777_216 });
    const near = await engine.streams.create("copy");
    const ballast = await engine.streams.create("ballast");
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks");
    const data = new Uint8Array(500_000);
    const fill = async (): Promise<void> => {
      for (;;) await ballast.putRecord({ partitionKey: "k", data });
    };
    expect(await failureOf(fill())).toMatchObject({ name: "StoreFullError" });
    for (let i = 0; i < 8; i++) await far.putRecord({ partitionKey: `k${i}`, data });
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).retries > 1);
    expect((await replica.status()).lastError).toMatchObject({ name: "StoreFullError" });
    await replica.pause();
    expect(await replica.status()).toMatchObject({ state: "paused", reason: undefined });
    replica.resume();
    await engine.streams.delete("ballast");
    await until(async () => (await replica.status()).copiedRecords === 8);
    expect((await readAll(near)).map(({ partitionKey }) => partitionKey).sort()).toEqual(
      integers(0, 8).map((i) => `k${i}`),
    );
  });
});

/** Ten records are copied from a server under virtual time, and nobody copies on. */
async function copiedAndStopped() {
  const { url } = await startServe({ time: "virtual" });
  const far = await (await openRemote(url)).streams.create("clicks");
  const near = await openCopy();
  await far.putRecords(numbered(0, 10));
  const first = await replicate(far, near);
  await until(async () => (await first.status()).copiedRecords === 10);
  await first.stop();
  return { url, far, near };
}

describe("what expired at the far side", () => {
  it("before it was copied is told as a gap, and the copy goes on behind it", async () => {
    const { url, far, near } = await copiedAndStopped();
    await far.putRecords(numbered(10, 20));
    await advance(url, DAY_MS + 3_600_000);
    await far.putRecords(numbered(20, 30));
    await advance(url, 60_000);
    const second = await replicate(far, near);
    const gaps: unknown[] = [];
    second.on("gap", (gap) => gaps.push(gap));
    await until(async () => (await second.status()).copiedRecords >= 10);
    expect(await numbersIn(near)).toEqual([...integers(0, 10), ...integers(20, 30)]);
    const numberOf = expect.stringMatching(/^\d{56}$/);
    expect(gaps).toEqual([
      { kind: "gap", shardId: "shardId-000000000000", after: numberOf, before: numberOf },
    ]);
  });

  it("with its shard is told as a gap, and the copy goes on with the shards that came of it", async () => {
    const { url, far, near } = await copiedAndStopped();
    await far.putRecords(numbered(10, 20));
    await far.split("shardId-000000000000");
    await advance(url, 2 * DAY_MS);
    await far.putRecords(numbered(20, 30));
    await until(async () => (await far.shards()).every(({ shardIndex }) => shardIndex !== 0));
    const second = await replicate(far, near);
    const gaps: unknown[] = [];
    second.on("gap", ({ shardId, before }) => gaps.push({ shardId, before }));
    await until(async () => (await second.status()).copiedRecords >= 10);
    expect(await numbersIn(near)).toEqual([...integers(0, 10), ...integers(20, 30)]);
    expect(gaps).toContainEqual({ shardId: "shardId-000000000000", before: undefined });
    const told = (await second.status()).gaps.map(({ shardId, before }) => ({ shardId, before }));
    expect(told).toEqual(gaps);
  });

  it("is no gap where the copy had everything", async () => {
    const { url, far, near } = await copiedAndStopped();
    await advance(url, DAY_MS + 3_600_000);
    await far.putRecords(numbered(10, 20));
    const second = await replicate(far, near);
    const gaps: unknown[] = [];
    second.on("gap", (gap) => gaps.push(gap));
    await until(async () => (await second.status()).copiedRecords >= 10);
    expect(await numbersIn(near)).toEqual(integers(0, 20));
    expect(gaps).toEqual([]);
  });
});

describe("what only somebody can mend pauses it with the reason:", () => {
  it.each([
    ["UnrecognizedClientException", "CredentialsError"],
    ["AccessDeniedException", "AccessDeniedError"],
    ["RequestTimeTooSkewedException", "ClockSkewError"],
  ])("%s", async (code, name) => {
    const { url } = await startServe();
    const far = await (await openRemote(url)).streams.create("clicks");
    await far.putRecords(numbered(0, 10));
    let refuses = false;
    const behind = await openBehind(url, (_operation, { response }) => {
      if (refuses) answer(response, 400, { __type: code, message: "no" });
      return refuses;
    });
    const source = await behind.streams.get("clicks");
    refuses = true;
    const near = await openCopy();
    const replica = await replicate(source, near);
    const failed: unknown[] = [];
    replica.on("failed", ({ error }) => failed.push(error));
    await until(async () => (await replica.status()).state === "paused");
    const { reason, lastError } = await replica.status();
    expect(reason).toMatchObject({ name });
    expect(lastError).toBe(reason);
    expect(failed).toEqual([reason]);
    refuses = false;
    replica.resume();
    await until(async () => (await replica.status()).copiedRecords === 10);
    expect(await numbersIn(near)).toEqual(integers(0, 10));
  });

  it("an endpoint of another service", async () => {
    const { url } = await startServe();
    await (await openRemote(url)).streams.create("clicks");
    let other = false;
    const behind = await openBehind(url, (_operation, { response }) => {
      if (other) response.end("<html>Log in to this network</html>");
      return other;
    });
    const source = await behind.streams.get("clicks");
    other = true;
    const replica = await replicate(source, await openCopy());
    await until(async () => (await replica.status()).state === "paused");
    expect((await replica.status()).reason).toMatchObject({ name: "WrongEndpointError" });
  });

  it("a stream that was deleted, and another one of its name", async () => {
    const remote = await openRemote((await startServe()).url);
    const far = await remote.streams.create("clicks");
    const near = await openCopy();
    await far.putRecords(numbered(0, 10));
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).copiedRecords === 10);
    await remote.streams.delete("clicks");
    await until(async () => (await replica.status()).state === "paused");
    expect((await replica.status()).reason).toMatchObject({ name: "ResourceNotFoundError" });
    const other = await remote.streams.create("clicks");
    await other.putRecords(numbered(100, 110));
    replica.resume();
    await until(async () => (await replica.status()).reason?.name === "ResourceInUseError");
    expect(await numbersIn(near)).toEqual(integers(0, 10));
  });

  it("a server that was started again without what it had", async () => {
    const near = await openCopy();
    const first = await startServe();
    const far = await (await openRemote(first.url)).streams.create("clicks");
    await far.putRecords(numbered(0, 10));
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).copiedRecords === 10);
    await replica.stop();
    await first.close();
    const remote = await openRemote((await startServe()).url);
    const again = await replicate(await remote.streams.create("clicks"), near);
    await until(async () => (await again.status()).state === "paused");
    expect((await again.status()).reason).toMatchObject({ name: "ResourceInUseError" });
    expect((await again.status()).copiedRecords).toBe(0);
  });

  it("a record that the local stream is too small for", async () => {
    const remote = await openRemote((await startServe()).url);
    const far = await remote.streams.create("clicks", { recordKibMax: 2048 });
    const near = await openCopy();
    await far.putRecord({ partitionKey: "k", data: new Uint8Array(1_500_000) });
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).state === "paused");
    expect((await replica.status()).reason).toMatchObject({ name: "RecordTooLargeError" });
  });
});

describe("the end", () => {
  it("comes with the far side that is closed", async () => {
    const remote = await openRemote((await startServe()).url);
    const replica = await replicate(await remote.streams.create("clicks"), await openCopy());
    await until(async () => (await replica.status()).state === "running");
    await remote.close();
    expect(await failureOf(replica.finished)).toMatchObject({ name: "EngineClosedError" });
    expect(replica.closed).toBe(true);
  });

  it("comes with the local stream that is deleted", async () => {
    const engine = await openLocal();
    const near = await engine.streams.create("copy");
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks");
    const replica = await replicate(far, near);
    await until(async () => (await replica.status()).state === "running");
    await engine.streams.delete("copy");
    expect(await failureOf(replica.finished)).toMatchObject({ name: "ResourceNotFoundError" });
  });
});

describe("what cannot be a replica is refused:", () => {
  it("a copy into a stream elsewhere, and into itself", async () => {
    const server = await startServe();
    const remote = await openRemote(server.url);
    const far = await remote.streams.create("clicks");
    const mistaken = { local: await remote.streams.create("other") };
    const call = (local: unknown): Promise<unknown> => Reflect.apply(far.replicateTo, far, [local]);
    for (const local of [mistaken.local, undefined, {}, far]) {
      expect(await failureOf(call(local))).toMatchObject({
        name: "InvalidArgumentError",
        argument: "local",
      });
    }
    const engine = await openLocal();
    const near = await engine.streams.create("copy");
    const client = new KinesisClient(engine.aws());
    const itself = await (await openRemote("", { client })).streams.get("copy");
    expect(await failureOf(itself.replicateTo(near))).toMatchObject({
      name: "InvalidArgumentError",
      argument: "local",
    });
  });

  it.each([
    [{ name: "no name" }, "options.name"],
    [{ from: { sequenceNumber: "1" } }, "options.from"],
    [{ from: "EARLIEST" }, "from"],
    [{ shards: 3 }, "options.shards"],
    [{ signal: "now" }, "options.signal"],
    [{ network: { online: true } }, "options.network"],
  ])("%o", async (options, argument) => {
    const far = await (await openRemote((await startServe()).url)).streams.create("clicks");
    const failure = failureOf(
      Reflect.apply(far.replicateTo, far, [await openCopy(), options]) as Promise<unknown>,
    );
    expect(await failure).toMatchObject({ name: "InvalidArgumentError", argument });
  });
});
