/** What can go wrong on the far side: ridden out where time mends it, else paused with the reason; nothing is lost. */
import { request } from "node:http";
import {
  EngineClosedError,
  type MillraceError,
  RecordTooLargeError,
  type Replication,
  ResourceInUseError,
  ResourceNotFoundError,
  type Stream,
} from "millrace";
import {
  ClockSkewError,
  CredentialsError,
  type RemoteStream,
  WrongEndpointError,
} from "millrace/remote";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import type { NetworkWatch } from "../../src/replication/network.ts";
import { put, until } from "../groups/support.ts";
import { answer, type Behaviour, forward, startStub } from "../remote/stub-endpoint.ts";
import { http1, openRemote, startServe } from "../remote/support.ts";
import {
  checkOrder,
  consume,
  drained,
  eventsOf,
  farStream,
  openEngine,
  remoteOf,
  stopLater,
} from "./support.ts";

/** Resolves with what paused it. */
async function pausedBy(replication: Replication): Promise<MillraceError | undefined> {
  await until(async () => (await replication.status()).state === "paused");
  return (await replication.status()).reason;
}

/** A far stream behind a proxy of the loopback, and a local one with some records. */
async function behindProxy(behave: (url: string) => Behaviour, deadlineMs = 2000) {
  const engine = await openEngine();
  const local = await engine.streams.ensure("clicks", { shards: 2 });
  const server = await startServe();
  const url = await startStub(behave(server.url));
  const direct = await openRemote(server.url);
  await direct.streams.ensure("clicks", { shards: 2 });
  const remote = await openRemote(url, { requestHandler: http1(), deadlineMs });
  const seen = await direct.streams.get("clicks");
  return { engine, local, remote, seen };
}

/** How many records of a remote stream there are as they are stored. */
async function countOf(stream: RemoteStream): Promise<number> {
  let count = 0;
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    count += record.data.byteLength > 0 ? 1 : 0;
  }
  return count;
}

/** The service does what it is asked, and its answer is lost. */
function forwardAndLose(url: string, { body, incoming, response }: Parameters<Behaviour>[0]): void {
  const { headers } = incoming;
  const onward = request(url, { method: "POST", headers }, (answered) => {
    answered.resume();
    answered.on("end", () => response.destroy());
  });
  onward.end(body);
}

/** A network that is there or not as a test says. */
class Switch implements NetworkWatch {
  readonly #listeners = new Set<() => void>();
  #online = true;

  turn(online: boolean): void {
    this.#online = online;
    for (const tell of this.#listeners) tell();
  }

  online(): boolean {
    return this.#online;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onLeave(): () => void {
    return () => undefined;
  }
}

/** Puts some, and checks that what paused it is told, loses nothing and can be resumed. */
async function expectPause(
  local: Stream,
  far: RemoteStream,
  kind: new (message: string) => MillraceError,
): Promise<Replication> {
  await put(local, 0, 10);
  const replication = stopLater(await local.replicateTo(far));
  const events = eventsOf(replication);
  const reason = await pausedBy(replication);
  expect(reason).toBeInstanceOf(kind);
  expect(await replication.status()).toMatchObject({ lagRecords: 10, copiedRecords: 0 });
  expect((await replication.status()).lastError).toBe(reason);
  await until(() => events.some((event) => event.kind === "failed" && event.error === reason));
  return replication;
}

describe("a replication is paused by", () => {
  it("wrong credentials, and goes on with others", async () => {
    const there = await startServe({
      accessKeys: [{ accessKeyId: "AKIDGOOD", secretAccessKey: "right" }],
    });
    let secretAccessKey = "right";
    // The client asks again for what has ended.
    const credentials = async () => ({
      ...{ accessKeyId: "AKIDGOOD", secretAccessKey, expiration: new Date(0) },
    });
    const remote = await openRemote(there.url, { credentials });
    const far = await remote.streams.ensure("clicks", { shards: 1 });
    secretAccessKey = "wrong";
    const engine = await openEngine();
    const local = await engine.streams.ensure("clicks", { shards: 1 });
    const replication = await expectPause(local, far, CredentialsError);
    secretAccessKey = "right";
    replication.resume();
    await drained(replication);
    expect((await replication.status()).copiedRecords).toBe(10);
  });

  it("a clock that stays skewed", async () => {
    let skewed = false;
    const { local, remote } = await behindProxy((url) => (question) => {
      if (!skewed) return forward(url, question);
      answer(question.response, 400, { __type: "RequestTimeTooSkewed", message: "too far" });
    });
    const far = await remote.streams.get("clicks");
    skewed = true;
    const replication = await expectPause(local, far, ClockSkewError);
    skewed = false;
    replication.resume();
    await drained(replication);
  });

  it("an endpoint of another service", async () => {
    let other = false;
    const { local, remote } = await behindProxy((url) => (question) => {
      if (!other) return forward(url, question);
      question.response.writeHead(200, { "content-type": "text/html" });
      question.response.end("<html><body>It works!</body></html>");
    });
    const far = await remote.streams.get("clicks");
    other = true;
    const replication = await expectPause(local, far, WrongEndpointError);
    other = false;
    replication.resume();
    await drained(replication);
  });

  it("a stream that was deleted on the far side", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far } = await farStream(there, "clicks", 1);
    await there.streams.delete("clicks");
    const replication = await expectPause(local, far, ResourceNotFoundError);
    // Another stream of its name is not the same.
    await there.streams.ensure("clicks", { shards: 1 });
    replication.resume();
    await until(async () => (await replication.status()).state === "paused");
    await replication.stop();
    const fresh = await (await remoteOf(there)).streams.get("clicks");
    await expect(local.replicateTo(fresh)).rejects.toBeInstanceOf(ResourceInUseError);
    const next = stopLater(await local.replicateTo(fresh, { name: "anew" }));
    await drained(next);
    expect((await next.status()).copiedRecords).toBe(10);
  });

  it("a stream that was deleted and made anew while there was nothing to send", async () => {
    const [here, there] = [await openEngine(), await openEngine({ time: "virtual" })];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far } = await farStream(there, "clicks", 1);
    const replication = stopLater(await local.replicateTo(far));
    await put(local, 0, 10);
    await drained(replication);
    await there.streams.delete("clicks");
    // Numbers of records tell streams of one name apart by the second.
    await there.time.advance(1000);
    const anew = await there.streams.ensure("clicks", { shards: 1 });
    await put(local, 10, 20);
    expect(await pausedBy(replication)).toBeInstanceOf(ResourceNotFoundError);
    expect(await replication.status()).toMatchObject({ copiedRecords: 10, lagRecords: 10 });
    // What went to the other stream does not go there again.
    replication.resume();
    expect(await pausedBy(replication)).toBeInstanceOf(ResourceNotFoundError);
    expect(await consume(anew, 10, { group: "keeps", repeats: "keep" })).toHaveLength(10);
  });

  it("a record that the far side takes in no entry, and goes on when it does", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("large", { shards: 1, recordKibMax: 2048 });
    const { far } = await farStream(there, "large", 1);
    await put(local, 0, 5);
    await local.putRecord({ partitionKey: "large", data: new Uint8Array(1_500_000) });
    await put(local, 5, 10);
    const replication = stopLater(await local.replicateTo(far));
    const reason = await pausedBy(replication);
    expect(reason).toBeInstanceOf(RecordTooLargeError);
    expect(reason).toMatchObject({ argument: "record", limit: 1_048_576 });
    expect((await replication.status()).lagRecords).toBeGreaterThan(5);
    await clientOf(there).call("invoke", {
      operation: "UpdateMaxRecordSize",
      input: { StreamARN: far.arn, MaxRecordSizeInKiB: 2048 },
      caller: { principal: "arn:aws:iam::000000000000:root" },
    });
    replication.resume();
    await drained(replication);
    expect((await replication.status()).copiedRecords).toBe(11);
  });
});

describe("a replication rides out", () => {
  it("a far side that throttles", async () => {
    // What it takes in a second comes back only when the test says so.
    const there = await openEngine({ quotas: "aws", time: "virtual" });
    const local = await (await openEngine()).streams.ensure("clicks", { shards: 1 });
    const { far, inside } = await farStream(there, "clicks", 1);
    const records = Array.from({ length: 1500 }, (_, i) => ({
      ...{ partitionKey: `k${i}`, data: `${i}` },
    }));
    await local.putRecords(records);
    const replication = stopLater(await local.replicateTo(far, { aggregate: false }));
    const events = eventsOf(replication);
    await until(() => events.some(({ kind }) => kind === "throttled"));
    expect((await replication.status()).lagRecords).toBeGreaterThanOrEqual(500);
    await there.time.advance(1000);
    await drained(replication);
    expect((await replication.status()).retries).toBeGreaterThan(0);
    checkOrder(await consume(inside, 1500), 0, 1500);
  });

  it("errors 500, lost answers and answers that never come", async () => {
    let calls = 0;
    const { local, remote, seen } = await behindProxy(
      (url) => (question) => {
        if (question.operation !== "PutRecords") return forward(url, question);
        calls += 1;
        if (calls === 1) return answer(question.response, 500, { __type: "InternalFailure" });
        if (calls === 2) return void question.response.destroy();
        // The service has it, and its answer is lost.
        if (calls === 3) return forwardAndLose(url, question);
        if (calls === 4) return undefined;
        forward(url, question);
      },
      600,
    );
    await put(local, 0, 50);
    const far = await remote.streams.get("clicks");
    const replication = stopLater(await local.replicateTo(far));
    const events = eventsOf(replication);
    await drained(replication);
    expect(events.filter(({ kind }) => kind === "outage").length).toBeGreaterThanOrEqual(3);
    expect(await countOf(seen)).toBeGreaterThan(2);
    expect((await replication.status()).copiedRecords).toBe(50);
  });

  it("a far side that is not there yet", async () => {
    let there = false;
    const { local, remote } = await behindProxy((url) => (question) => {
      if (there) forward(url, question);
      else question.response.destroy();
    });
    there = true;
    const far = await remote.streams.get("clicks");
    there = false;
    await put(local, 0, 10);
    const replication = stopLater(await local.replicateTo(far));
    await until(async () => (await replication.status()).retries > 1);
    expect((await replication.status()).state).toBe("running");
    there = true;
    await drained(replication);
  });

  it("the time without a network, quietly, and wakes when it is back", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    const { far, inside } = await farStream(there, "clicks", 1);
    const network = new Switch();
    const replication = stopLater(await local.replicateTo(far, { network }));
    await put(local, 0, 10);
    await drained(replication);
    network.turn(false);
    await put(local, 10, 30);
    await until(async () => (await replication.status()).lagRecords === 20);
    expect(await replication.status()).toMatchObject({ state: "waiting-offline", retries: 0 });
    network.turn(true);
    await drained(replication);
    expect((await replication.status()).state).toBe("running");
    checkOrder(await consume(inside, 30), 0, 30);
  });
});

describe("a replication whose far side is closed", () => {
  it.each([["has nothing to send"], ["is paused"]])(
    "ends at once, also while it %s",
    async (state) => {
      const [here, there] = [await openEngine(), await openEngine()];
      const local = await here.streams.ensure("clicks", { shards: 1 });
      await there.streams.ensure("clicks", { shards: 1 });
      const remote = await remoteOf(there);
      const replication = stopLater(await local.replicateTo(await remote.streams.get("clicks")));
      await put(local, 0, 10);
      await drained(replication);
      if (state === "is paused") await replication.pause();
      await remote.close();
      await expect(replication.finished).rejects.toBeInstanceOf(EngineClosedError);
      expect(replication.closed).toBe(true);
      expect((await replication.status()).state).toBe("stopped");
    },
  );

  it("before it began ends as well", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 1 });
    await there.streams.ensure("clicks", { shards: 1 });
    const remote = await remoteOf(there);
    const far = await remote.streams.get("clicks");
    await remote.close();
    const replication = stopLater(await local.replicateTo(far));
    await expect(replication.finished).rejects.toBeInstanceOf(EngineClosedError);
  });
});
