/** Readings of a service elsewhere while things go wrong: iterators that end, throttles, outages, deletions. */
import { type RecordBatch, ResourceNotFoundError, type StreamRecord } from "millrace";
import { RemoteUnavailableError } from "millrace/remote";
import { describe, expect, it } from "vitest";
import { failureOf } from "../support.ts";
import { answer, forward, startStub } from "./stub-endpoint.ts";
import { advance, http1, openRemote, startKinesalite, startServe } from "./support.ts";

const SIX_MINUTES_MS = 360_000;

/** A backend behind an endpoint that forwards to a server, except where `trouble` answers itself. */
async function openBehind(
  trouble: (operation: string, question: Parameters<typeof forward>[1]) => boolean,
  options: Parameters<typeof openRemote>[1] = {},
) {
  const { url } = await startServe();
  const calls: { readonly operation: string; readonly atMs: number }[] = [];
  const endpoint = await startStub((question) => {
    calls.push({ operation: question.operation, atMs: performance.now() });
    if (!trouble(question.operation, question)) forward(url, question);
  });
  const remote = await openRemote(endpoint, { requestHandler: http1(), ...options });
  return { remote, calls };
}

describe("iterators", () => {
  it("that expired are renewed where the reading was, and where it had not begun", async () => {
    const { url } = await startServe({ time: "virtual" });
    const remote = await openRemote(url);
    const stream = await remote.streams.create("clicks");
    await stream.putRecord({ partitionKey: "k", data: "one" });
    const begun = stream.read({ from: "TRIM_HORIZON", until: "live" });
    expect((await begun.next()).value?.text()).toBe("one");
    const unread = stream.read({ from: "TRIM_HORIZON", until: "live" });
    await new Promise((resolve) => setTimeout(resolve, 300));
    await advance(url, SIX_MINUTES_MS);
    await stream.putRecord({ partitionKey: "k", data: "two" });
    expect((await begun.next()).value?.text()).toBe("two");
    expect((await unread.next()).value?.text()).toBe("one");
    expect((await unread.next()).value?.text()).toBe("two");
    await Promise.all([begun.return?.(), unread.return?.()]);
  });

  it("are asked for once, and shards not more often than AWS allows", async () => {
    const { remote, calls } = await openBehind(() => false, { pollMs: 200 });
    const stream = await remote.streams.create("clicks");
    const reading = stream.read({ from: "TRIM_HORIZON", until: "live" });
    const next = reading.next();
    await new Promise((resolve) => setTimeout(resolve, 1500));
    await stream.putRecord({ partitionKey: "k", data: "x" });
    await next;
    await reading.return?.();
    const reads = calls.filter(({ operation }) => operation === "GetRecords");
    expect(calls.filter(({ operation }) => operation === "GetShardIterator")).toHaveLength(1);
    expect(reads.length).toBeGreaterThan(2);
    const perSecond =
      (reads.length - 1) / (((reads.at(-1)?.atMs ?? 0) - (reads[0]?.atMs ?? 0)) / 1000);
    // Requests are counted where they arrive, which is later or earlier by a little than they were made.
    expect(perSecond).toBeLessThan(5.5);
  });
});

describe("trouble", () => {
  it("of a service that lets every iterator expire at once is told", async () => {
    const { remote } = await openBehind((operation, { response }) => {
      if (operation !== "GetRecords") return false;
      answer(response, 400, { __type: "ExpiredIteratorException", message: "" });
      return true;
    });
    const stream = await remote.streams.create("clicks");
    const failure = await failureOf(stream.read({ from: "TRIM_HORIZON", until: "end" }).next());
    expect(failure).toMatchObject({ name: "ExpiredIteratorError" });
  });

  it("of kinesalite, which never answers a time in an empty shard, ends by the deadline", async () => {
    const options = { requestHandler: http1(), deadlineMs: 400 };
    const remote = await openRemote(await startKinesalite(), options);
    const stream = await remote.streams.create("clicks");
    const reading = stream.read({ from: new Date(0), until: "end" });
    expect(await failureOf(reading.next())).toMatchObject({ name: "DeadlineError" });
  });

  it("of throttles and outages is ridden out, and nothing is read twice or left out", async () => {
    let reads = 0;
    const { remote } = await openBehind((operation, { response, incoming }) => {
      if (operation !== "GetRecords") return false;
      reads += 1;
      if (reads % 5 === 1) {
        answer(response, 400, { __type: "ProvisionedThroughputExceededException", message: "" });
      } else if (reads % 5 === 2) answer(response, 500, { __type: "InternalFailure", message: "" });
      else if (reads % 5 === 3) incoming.socket.destroy();
      return reads % 5 > 0 && reads % 5 < 4;
    });
    const stream = await remote.streams.create("clicks", { shards: 2 });
    const numbers = Array.from({ length: 300 }, (_, i) => `${i}`);
    await stream.putRecords(numbers.map((data) => ({ partitionKey: data, data })));
    const read: string[] = [];
    for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
      read.push(record.text());
    }
    expect(read.toSorted((a, b) => Number(a) - Number(b))).toEqual(numbers);
    expect(reads).toBeGreaterThan(6);
  });

  it("that lasts ends the reading with what it is", async () => {
    const { remote } = await openBehind(
      (operation, { response }) => {
        if (operation !== "GetRecords") return false;
        answer(response, 503, { __type: "ServiceUnavailable", message: "" });
        return true;
      },
      { deadlineMs: 500 },
    );
    const stream = await remote.streams.create("clicks");
    const failure = await failureOf(stream.read({ from: "TRIM_HORIZON", until: "end" }).next());
    expect(failure).toBeInstanceOf(RemoteUnavailableError);
  });

  it("that lasts is told as what it was, also when the last attempt got no answer", async () => {
    let calls = 0;
    const { remote } = await openBehind(
      (operation, { response }) => {
        if (operation !== "GetRecords") return false;
        calls += 1;
        if (calls === 1) answer(response, 503, { __type: "ServiceUnavailable", message: "" });
        return true;
      },
      { deadlineMs: 1000 },
    );
    const stream = await remote.streams.create("clicks");
    const failure = await failureOf(stream.read({ from: "TRIM_HORIZON", until: "end" }).next());
    expect(calls).toBeGreaterThan(1);
    expect(failure).toBeInstanceOf(RemoteUnavailableError);
  });

  it("of a stream that is deleted while it is read is told", async () => {
    const remote = await openRemote((await startServe()).url);
    const stream = await remote.streams.create("clicks");
    const next = failureOf(stream.read({ from: "LATEST", until: "live" }).next());
    await new Promise((resolve) => setTimeout(resolve, 500));
    await remote.streams.delete("clicks");
    expect(await next).toBeInstanceOf(ResourceNotFoundError);
  });
});

describe("shards", () => {
  it("that are slow do not hold up others, and many are read side by side", async () => {
    const { remote } = await openBehind(() => false);
    const stream = await remote.streams.create("clicks", { shards: 12 });
    const records = Array.from({ length: 600 }, (_, i) => ({ partitionKey: `${i}`, data: `${i}` }));
    await stream.putRecords(records);
    const shards = new Set<string>();
    const read: StreamRecord[] = [];
    for await (const batch of stream.readBatches({ from: "TRIM_HORIZON", until: "end" })) {
      expect(batch.shards).toHaveLength(1);
      shards.add(batch.shards[0]?.shardId ?? "");
      read.push(...batch);
    }
    expect(shards.size).toBe(12);
    expect(new Set(read.map((record) => record.text())).size).toBe(600);
  });

  it("of several calls of next() at once come in turn", async () => {
    const { remote } = await openBehind(() => false);
    const stream = await remote.streams.create("clicks");
    for (const data of ["one", "two"]) await stream.putRecord({ partitionKey: "k", data });
    const reading = stream.readBatches({ from: "TRIM_HORIZON", until: "end" });
    const results = await Promise.all([reading.next(), reading.next()]);
    const lengths = results.map(
      ({ value }: IteratorResult<RecordBatch, undefined>) => value?.length,
    );
    expect(lengths).toEqual([2, undefined]);
  });
});

describe("consumers", () => {
  it("are subscribed again where they were when five minutes are over", async () => {
    const { url } = await startServe({ time: "virtual" });
    const stream = await (await openRemote(url)).streams.create("clicks");
    await stream.registerConsumer("audit");
    await stream.putRecord({ partitionKey: "k", data: "one" });
    const reading = stream.subscribe({ consumer: "audit", from: "TRIM_HORIZON" });
    expect((await reading.next()).value?.text(0)).toBe("one");
    for (const data of ["two", "three"]) {
      const next = reading.next();
      await advance(url, SIX_MINUTES_MS);
      await stream.putRecord({ partitionKey: "k", data });
      expect((await next).value?.text(0)).toBe(data);
    }
    await reading.return?.();
  });

  it("are told when another reader takes their shard over", async () => {
    const first = await startServe();
    const remote = await openRemote(first.url);
    const stream = await remote.streams.create("clicks");
    await stream.registerConsumer("audit");
    await stream.putRecord({ partitionKey: "k", data: "one" });
    const reading = stream.subscribe({ consumer: "audit", from: "TRIM_HORIZON" });
    expect((await reading.next()).value?.text(0)).toBe("one");
    // Another one takes the shard over, which AWS allows after five seconds.
    await new Promise((resolve) => setTimeout(resolve, 5200));
    const waiting = failureOf(reading.next());
    const other = stream.subscribe({ consumer: "audit", from: "TRIM_HORIZON" });
    expect((await other.next()).value?.text(0)).toBe("one");
    expect(await waiting).toMatchObject({ code: "ResourceInUseException" });
    await other.return?.();
  });
});
