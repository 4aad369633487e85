/** Producers into a service elsewhere that throttles, fails and loses answers: all arrives, in order where that is asked for. */
import { randomBytes } from "node:crypto";
import { deaggregate } from "millrace/aggregation";
import { UserRecordFailedError } from "millrace/producer";
import type { RemoteStream } from "millrace/remote";
import { describe, expect, it, vi } from "vitest";
import { byKey, failureOf } from "../support.ts";
import { openRunning } from "./running-clock.ts";
import { answer, forward, startStub } from "./stub-endpoint.ts";
import { advance, http1, openRemote, startServe } from "./support.ts";

type Question = Parameters<typeof forward>[1];

/** A stream behind an endpoint on which `fate` decides what becomes of each PutRecords, by its number. */
async function openBehind(fate: (call: number, question: Question) => "forward" | "done" | "lost") {
  const { url } = await startServe();
  let calls = 0;
  const endpoint = await startStub((question) => {
    if (question.operation !== "PutRecords") {
      forward(url, question);
      return;
    }
    calls += 1;
    const what = fate(calls, question);
    if (what === "forward") forward(url, question);
    if (what === "lost") loseAnswer(url, question);
  });
  const remote = await openRunning(endpoint, { requestHandler: http1() });
  return {
    remote,
    stream: await remote.streams.create("clicks", { shards: 2 }),
    calls: () => calls,
  };
}

/** The service does what it is asked, and nobody hears of it. */
function loseAnswer(url: string, { body, incoming }: Question): void {
  void fetch(url, {
    method: "POST",
    body: new Uint8Array(body),
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": String(incoming.headers["x-amz-target"]),
    },
  }).then(() => incoming.socket.destroy());
}

function failCall({ response }: Question): void {
  answer(response, 500, { __type: "InternalFailure", message: "" });
}

async function userRecords(stream: RemoteStream) {
  const decoder = new TextDecoder();
  const users: { readonly key: string; readonly number: number }[] = [];
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    for (const { partitionKey, data } of deaggregate(record)) {
      users.push({ key: partitionKey, number: Number(decoder.decode(data.subarray(0, 8))) });
    }
  }
  return users;
}

const numbered = (count: number, keys: number) =>
  Array.from({ length: count }, (_, i) => ({
    partitionKey: `key-${i % keys}`,
    data: Buffer.concat([Buffer.from(`${i}`.padStart(8)), randomBytes(200)]),
  }));

describe("producers", () => {
  it("put again what failed and what was lost on the way, and nothing is missing", async () => {
    const { stream, calls } = await openBehind((call, question) => {
      if (call % 4 === 1) failCall(question);
      if (call % 4 === 2) question.incoming.socket.destroy();
      if (call % 4 === 3) return "lost";
      return call % 4 === 0 ? "forward" : "done";
    });
    const options = { maxBufferedMs: 10, aggregationMaxBytes: 5000, recordTtlMs: 600_000 };
    const producer = await stream.producer(options);
    await Promise.all(numbered(400, 40).map((record) => producer.put(record)));
    await producer.close();
    const users = await userRecords(stream);
    expect(new Set(users.map(({ number }) => number)).size).toBe(400);
    // What was lost after it was stored is there twice.
    expect(users.length).toBeGreaterThan(400);
    expect(calls()).toBeGreaterThan(3);
  });

  it("keep the order of keys over all that, repeats aside", async () => {
    const { stream } = await openBehind((call, question) => {
      if (call % 5 === 1) failCall(question);
      if (call % 5 === 3) return "lost";
      return call % 5 === 1 ? "done" : "forward";
    });
    const producer = await stream.producer({
      ...{ orderedBy: "partitionKey", maxBufferedMs: 5, aggregationMaxBytes: 2000 },
      ...{ recordTtlMs: 600_000, backoffMaxMs: 100 },
    });
    await Promise.all(numbered(200, 8).map((record) => producer.put(record)));
    await producer.close();
    const users = await userRecords(stream);
    const groups = byKey(users.map(({ key, number }) => [key, `${number}`]));
    for (const group of groups.values()) {
      const firsts = [...new Set(group)];
      expect(firsts).toEqual(firsts.toSorted((a, b) => Number(a) - Number(b)));
    }
    expect(new Set(users.map(({ number }) => number)).size).toBe(200);
  });

  it("tell of a record that is too old whether it may be stored", async () => {
    const { stream } = await openBehind((_call, { incoming }) => {
      incoming.socket.destroy();
      return "done";
    });
    const producer = await stream.producer({ maxBufferedMs: 5, recordTtlMs: 400 });
    const failure = await failureOf(producer.put({ partitionKey: "k", data: "x" }));
    expect(failure).toBeInstanceOf(UserRecordFailedError);
    expect(failure).toMatchObject({ code: "RecordExpiredException", indeterminate: true });
    await producer.close();
  });

  it("ride out throttles within the time to live", async () => {
    // While time stands still, a shard takes a thousand records.
    const { url } = await startServe({ quotas: "aws", time: "virtual" });
    const stream = await (await openRunning(url)).streams.create("clicks");
    const producer = await stream.producer({ aggregation: false, rateLimitPercent: 1000 });
    const puts = numbered(1800, 50).map((record) => producer.put(record));
    await vi.waitFor(() => expect(producer.outstandingRecords).toBe(800), { timeout: 20_000 });
    await advance(url, 1000);
    const results = await Promise.all(puts);
    await producer.close();
    expect(results.some(({ attempts }) => attempts.length > 1)).toBe(true);
    expect(await userRecords(stream)).toHaveLength(1800);
  });
});

describe("puts without an order", () => {
  it("go 500 to a call", async () => {
    const { url } = await startServe();
    let calls = 0;
    const endpoint = await startStub((question) => {
      if (question.operation === "PutRecords") calls += 1;
      forward(url, question);
    });
    const options = { requestHandler: http1(), orderedBy: "nothing" } as const;
    const stream = await (await openRemote(endpoint, options)).streams.create("clicks");
    const result = await stream.putRecords(numbered(1200, 1));
    expect(result).toMatchObject({ length: 1200, failedRecordCount: 0 });
    expect(calls).toBe(3);
  });

  it("hold at most 10 MiB to a call, and take what one record may hold", async () => {
    const { url } = await startServe();
    const sizes: number[] = [];
    const endpoint = await startStub((question) => {
      if (question.operation === "PutRecords") sizes.push(question.body.byteLength);
      forward(url, question);
    });
    const options = { requestHandler: http1(), orderedBy: "nothing" } as const;
    const stream = await (await openRemote(endpoint, options)).streams.create("clicks");
    const data = randomBytes(1_048_575);
    const records = Array.from({ length: 14 }, () => ({ partitionKey: "k", data }));
    expect(await stream.putRecords(records)).toMatchObject({ failedRecordCount: 0 });
    // Ten of them fit the 10 MiB; on the way they are base64.
    expect(sizes).toHaveLength(2);
    expect(Math.max(...sizes)).toBeLessThan(10_485_760 * 1.34 + 2000);
  });
});
