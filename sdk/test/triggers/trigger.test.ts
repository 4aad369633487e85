/** What a stream trigger promises: Lambda's events, batches, retries and partial responses, over the real engine. */
import { InvalidArgumentError, ResourceNotFoundError } from "millrace";
import { encodeAggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../src/client-of.ts";
import { openTrigger } from "../../src/triggers/trigger.ts";
import { TroubledClient } from "../groups/clients.ts";
import { put, sorted, texts, until } from "../groups/support.ts";
import { failureOf, openEngine, readAll } from "../support.ts";
import { Calls, keepTrigger, openStreams, QUICK, textsOf } from "./support.ts";

const SHARD_0 = "shardId-000000000000";

/** What an on-failure record says. */
interface Letter {
  readonly requestContext: { readonly condition: string; readonly approximateInvokeCount: number };
  readonly responseContext?: { readonly functionError?: string };
  readonly KinesisBatchInfo: {
    readonly startSequenceNumber: string;
    readonly endSequenceNumber: string;
    readonly batchSize: number;
  };
}

describe("an event", () => {
  it("is Lambda's, to the member", async () => {
    const { stream } = await openStreams();
    const { sequenceNumber } = await stream.putRecord({ partitionKey: "key", data: "böse" });
    const [stored] = await readAll(stream);
    const calls = new Calls();
    keepTrigger(await stream.trigger(calls.handler, { ...QUICK, functionName: "my-function" }));
    await until(() => calls.done.length === 1);
    expect(calls.events).toEqual([
      {
        Records: [
          {
            kinesis: {
              kinesisSchemaVersion: "1.0",
              partitionKey: "key",
              sequenceNumber,
              data: "YsO2c2U=",
              approximateArrivalTimestamp: (stored?.arrivalMs ?? 0) / 1000,
            },
            eventSource: "aws:kinesis",
            eventVersion: "1.0",
            eventID: `${SHARD_0}:${sequenceNumber}`,
            eventName: "aws:kinesis:record",
            invokeIdentityArn: "arn:aws:iam::000000000000:role/lambda-role",
            awsRegion: stream.arn.split(":")[3],
            eventSourceARN: stream.arn,
          },
        ],
      },
    ]);
    const [context] = calls.contexts;
    expect(context).toMatchObject({
      functionName: "my-function",
      functionVersion: "$LATEST",
      memoryLimitInMB: "128",
      callbackWaitsForEmptyEventLoop: true,
      logGroupName: "/aws/lambda/my-function",
    });
    expect(context?.invokedFunctionArn).toMatch(/^arn:aws:lambda:.+:function:my-function$/);
    expect(context?.awsRequestId).toMatch(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/);
    const leftMs = context?.getRemainingTimeInMillis() ?? 0;
    expect(leftMs > 30_000 && leftMs <= 60_000).toBe(true);
  });

  it("has an aggregate as it is stored, as Lambda hands it over", async () => {
    const { stream } = await openStreams();
    const members = ["a", "b", "c"].map((text) => ({
      ...{ partitionKey: "key", data: new TextEncoder().encode(text), tags: [] },
    }));
    await stream.putRecord({ partitionKey: "key", data: encodeAggregate(members) });
    await put(stream, 0, 2);
    const calls = new Calls();
    const trigger = keepTrigger(await stream.trigger(calls.handler, { ...QUICK, batchSize: 1 }));
    await until(() => calls.done.length === 3);
    const stored = await readAll(stream);
    const seen = calls.events.flatMap(({ Records }) => Records.map(({ kinesis }) => kinesis));
    expect(seen.map(({ sequenceNumber }) => sequenceNumber)).toEqual(
      stored.map((one) => one.sequenceNumber),
    );
    await trigger.stop();
    expect((await trigger.describe()).group.leases[0]).toMatchObject({ lagRecords: 0 });
  });

  it("goes to handlers that answer through a callback, or through their context", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 4);
    const ways: string[] = [];
    const trigger = keepTrigger(
      await stream.trigger(
        (event, context, callback) => {
          const [text = ""] = textsOf(event);
          const failing = !ways.includes(text);
          ways.push(text);
          if (text === "0") setTimeout(() => callback(failing ? new Error("again") : null), 1);
          else if (text === "1") callback(failing ? "again" : null, "ok");
          else if (text === "2") context.done(failing ? new Error("again") : undefined);
          else if (failing) context.fail("again");
          else context.succeed("ok");
        },
        { ...QUICK, batchSize: 1 },
      ),
    );
    await until(() => trigger.metrics.records === 4);
    expect(ways).toEqual(["0", "0", "1", "1", "2", "2", "3", "3"]);
    expect(trigger.metrics).toMatchObject({ invocations: 8, failures: 4 });
  });
});

describe("batches", () => {
  it("are of no more records than asked, in the order of the shard, and are checkpointed", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 250);
    const calls = new Calls();
    const trigger = keepTrigger(await stream.trigger(calls.handler, { ...QUICK, batchSize: 40 }));
    await until(() => calls.texts.length === 250);
    expect(calls.texts).toEqual(texts(0, 250));
    expect(calls.done.map((batch) => batch.length)).toEqual([40, 40, 40, 40, 40, 40, 10]);
    await trigger.stop();
    await put(stream, 250, 300);
    const again = new Calls();
    keepTrigger(await stream.trigger(again.handler, QUICK));
    await until(() => again.texts.length === 50);
    expect(again.texts).toEqual(texts(250, 300));
  });

  it("wait for their window to be full, and no longer", async () => {
    const { stream } = await openStreams();
    const calls = new Calls();
    const options = { ...QUICK, batchSize: 10, batchWindowMs: 300 };
    const begunMs = performance.now();
    keepTrigger(await stream.trigger(calls.handler, options));
    await put(stream, 0, 5);
    await until(() => calls.done.length > 0);
    expect(calls.done).toEqual([texts(0, 5)]);
    expect(performance.now() - begunMs).toBeGreaterThan(290);
    await put(stream, 5, 15);
    await until(() => calls.texts.length === 15);
    expect(calls.done[1]).toHaveLength(10);
  });

  it("are of 6 MB at most", async () => {
    const engine = await openEngine();
    const stream = await engine.streams.create("large");
    const data = crypto.getRandomValues(new Uint8Array(65_536));
    const large = new Uint8Array(1_000_000).map((_, i) => data[i % data.length] ?? 0);
    for (let i = 0; i < 9; i++) await stream.putRecord({ partitionKey: `${i}`, data: large });
    const calls = new Calls();
    keepTrigger(await stream.trigger(calls.handler, { ...QUICK, batchWindowMs: 100 }));
    await until(() => calls.texts.length === 9);
    for (const event of calls.events) {
      expect(JSON.stringify(event).length).toBeLessThanOrEqual(6_291_456);
    }
    expect(calls.events.some(({ Records }) => Records.length === 4)).toBe(true);
  });

  it("of different partition keys run side by side, those of one key in order", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 400);
    const seen = new Map<string, number[]>();
    const [running, most] = [new Set<symbol>(), { count: 0 }];
    const calls = new Calls();
    calls.answer = async (_texts, { Records }) => {
      const me = Symbol("running");
      running.add(me);
      most.count = Math.max(most.count, running.size);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
      for (const { kinesis } of Records) {
        const numbers = seen.get(kinesis.partitionKey) ?? [];
        seen.set(kinesis.partitionKey, [...numbers, Number(atob(kinesis.data))]);
      }
      running.delete(me);
    };
    const options = { ...QUICK, batchSize: 10, parallelizationFactor: 4 };
    const trigger = keepTrigger(await stream.trigger(calls.handler, options));
    await until(() => calls.texts.length === 400);
    expect(most.count).toBe(4);
    expect(sorted(calls.texts)).toEqual(texts(0, 400));
    for (const numbers of seen.values()) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    await trigger.stop();
    expect((await trigger.describe()).group.leases[0]?.lagRecords).toBe(0);
  });

  it("that are done behind one that is not are not checkpointed", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 100);
    const calls = new Calls();
    calls.answer = (batch) => {
      if (batch.includes("10")) throw new Error("ten");
    };
    const options = { ...QUICK, batchSize: 1, parallelizationFactor: 8, retryMs: 60_000 };
    const trigger = keepTrigger(await stream.trigger(calls.handler, options));
    // One of eight lanes stands still, with the keys that are in it.
    await until(() => calls.texts.length > 60);
    await trigger.stop();
    const again = new Calls();
    keepTrigger(await stream.trigger(again.handler, QUICK));
    await until(() => again.texts.length === 90);
    expect(again.texts).toEqual(texts(10, 100));
  });

  it("of parents come before those of their children", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 100);
    await stream.split(SHARD_0);
    await put(stream, 100, 200);
    const calls = new Calls();
    const options = { ...QUICK, batchSize: 30, batchWindowMs: 100 };
    const trigger = keepTrigger(await stream.trigger(calls.handler, options));
    await until(() => calls.texts.length === 200);
    expect(calls.texts.slice(0, 100)).toEqual(texts(0, 100));
    expect(sorted(calls.texts)).toEqual(texts(0, 200));
    await until(async () => (await trigger.describe()).group.leases[0]?.status === "ended");
  });
});

describe("a batch that fails", () => {
  it("is handed over again, and nothing of its shard before it is done", async () => {
    const { stream } = await openStreams(2);
    await put(stream, 0, 60);
    const calls = new Calls();
    let failures = 0;
    calls.answer = (_texts, { Records }) => {
      if (Records[0]?.eventID.startsWith(SHARD_0) !== true || failures >= 5) return;
      failures += 1;
      throw new Error("not yet");
    };
    const trigger = keepTrigger(await stream.trigger(calls.handler, { ...QUICK, batchSize: 5 }));
    const attempts: number[] = [];
    trigger.on("invocation-failed", ({ attempt }) => attempts.push(attempt));
    await until(() => calls.texts.length === 60);
    expect(attempts).toEqual([1, 2, 3, 4, 5]);
    for (const shard of [0, 1]) {
      const own = calls.events
        .flatMap(({ Records }) => Records)
        .filter(({ eventID }) => eventID.startsWith(`shardId-00000000000${shard}`))
        .map(({ kinesis }) => kinesis.sequenceNumber);
      // Again and again the same batch, and then everything once.
      const once = own.filter((number, i) => own.indexOf(number) === i);
      expect(once).toEqual(once.toSorted());
    }
  });

  it("is given up after its retries, with AWS's record in the on-failure stream", async () => {
    const { stream, failures } = await openStreams();
    await put(stream, 0, 30);
    const calls = new Calls();
    calls.answer = (batch) => {
      if (batch.includes("12")) throw new Error("twelve");
    };
    const onFailure = { streamName: "failures" };
    const options = { ...QUICK, batchSize: 10, maxRetries: 2, onFailure };
    const trigger = keepTrigger(await stream.trigger(calls.handler, options));
    await until(() => calls.texts.length === 20);
    await trigger.stop();
    const stored = await readAll(stream);
    const letters = await readAll(failures);
    expect(letters).toHaveLength(1);
    const letter = letters[0]?.json<Letter>();
    expect(letter).toMatchObject({
      requestContext: {
        requestId: calls.contexts[3]?.awsRequestId,
        functionArn: calls.contexts[0]?.invokedFunctionArn,
        condition: "RetryAttemptsExhausted",
        approximateInvokeCount: 3,
      },
      responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
      version: "1.0",
      KinesisBatchInfo: {
        shardId: SHARD_0,
        startSequenceNumber: stored[10]?.sequenceNumber,
        endSequenceNumber: stored[19]?.sequenceNumber,
        approximateArrivalOfFirstRecord: new Date(stored[10]?.arrivalMs ?? 0).toISOString(),
        approximateArrivalOfLastRecord: new Date(stored[19]?.arrivalMs ?? 0).toISOString(),
        batchSize: 10,
        streamArn: stream.arn,
      },
    });
    expect(trigger.metrics).toMatchObject({ invocations: 5, failures: 3, discarded: 10 });
    expect((await trigger.describe()).group.leases[0]?.lagRecords).toBe(0);
  });

  it("is halved until the record that spoils it is alone, at the cost of no retry", async () => {
    const { stream, failures } = await openStreams();
    await put(stream, 0, 16);
    const calls = new Calls();
    calls.answer = (batch) => {
      if (batch.includes("11")) throw new Error("eleven");
    };
    const onFailure = { streamName: "failures" };
    const options = { ...QUICK, batchSize: 16, batchWindowMs: 50, bisectOnError: true };
    const trigger = keepTrigger(
      await stream.trigger(calls.handler, { ...options, maxRetries: 1, onFailure }),
    );
    await until(() => calls.texts.length === 15);
    await trigger.stop();
    const sizes = calls.events.map(({ Records }) => Records.length);
    // The last single one is handed over twice: its first failure takes the one retry.
    expect(sizes).toEqual([16, 8, 8, 4, 2, 2, 1, 1, 1, 4]);
    expect(calls.texts).toEqual(texts(0, 16).filter((text) => text !== "11"));
    const letters = (await readAll(failures)).map((one) => one.json<Letter>());
    expect(letters.map((one) => one.KinesisBatchInfo.batchSize)).toEqual([1]);
  });

  it("is handed over from the lowest record on that its answer names", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 10);
    const calls = new Calls();
    const failing = new Set(["3", "7"]);
    calls.answer = (batch, { Records }) => {
      const failed = Records.filter((_, i) => failing.delete(batch[i] ?? ""));
      return {
        batchItemFailures: failed
          .toReversed()
          .map(({ kinesis }) => ({ itemIdentifier: kinesis.sequenceNumber })),
      };
    };
    const options = { ...QUICK, batchWindowMs: 50, reportBatchItemFailures: true };
    const trigger = keepTrigger(await stream.trigger(calls.handler, options));
    await until(() => trigger.metrics.records === 10);
    expect(calls.done).toEqual([texts(0, 10), texts(3, 10)]);
    expect(trigger.metrics).toMatchObject({ invocations: 2, failures: 1 });
  });

  it("has failed as a whole when its answer names what is not in it", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 6);
    const calls = new Calls();
    const answers: unknown[] = [
      { batchItemFailures: [{ itemIdentifier: "1" }] },
      { batchItemFailures: [{ itemIdentifier: "" }] },
      { batchItemFailures: [{ itemIdentifier: null }] },
      { batchItemFailures: [{ id: "x" }] },
      { batchItemFailures: "all" },
      { batchItemFailures: null },
    ];
    calls.answer = () => answers.shift();
    const options = { ...QUICK, batchWindowMs: 50, reportBatchItemFailures: true };
    const trigger = keepTrigger(await stream.trigger(calls.handler, options));
    await until(() => trigger.metrics.records === 6);
    expect(calls.done).toEqual(Array.from({ length: 6 }, () => texts(0, 6)));
    expect(trigger.metrics.failures).toBe(5);
  });

  it("has failed when it takes too long, and what it still does counts for nothing", async () => {
    const { stream } = await openStreams();
    await put(stream, 0, 5);
    const calls = new Calls();
    let hanging = 2;
    calls.answer = async () => {
      if (hanging === 0) return;
      hanging -= 1;
      await new Promise(() => undefined);
    };
    const options = { ...QUICK, batchWindowMs: 50, timeoutMs: 40 };
    const trigger = keepTrigger(await stream.trigger(calls.handler, options));
    const errors: unknown[] = [];
    trigger.on("invocation-failed", ({ error }) => errors.push(error));
    await until(() => calls.done.length === 1);
    expect(errors).toMatchObject([
      { name: "InvocationTimeoutError" },
      { name: "InvocationTimeoutError" },
    ]);
    expect(calls.contexts[0]?.getRemainingTimeInMillis()).toBe(0);
  });

  it("is given up when its records are too old", async () => {
    const engine = await openEngine({ time: "virtual" });
    const stream = await engine.streams.create("clicks");
    const failures = await engine.streams.create("failures");
    await put(stream, 0, 5);
    await engine.time.advance(120_000);
    await put(stream, 5, 8);
    const calls = new Calls();
    const options = { ...QUICK, maxRecordAgeS: 60, onFailure: { streamName: "failures" } };
    const trigger = keepTrigger(await stream.trigger(calls.handler, options));
    await until(async () => {
      await engine.time.advance(10);
      return calls.texts.length === 3 && (await readAll(failures)).length === 1;
    });
    expect(calls.texts).toEqual(texts(5, 8));
    const letter = (await readAll(failures))[0]?.json<Letter>();
    expect(letter?.requestContext).toMatchObject({
      condition: "RecordAgeExceeded",
      approximateInvokeCount: 0,
    });
    expect(letter?.KinesisBatchInfo.batchSize).toBe(5);
    expect(trigger.metrics.discarded).toBe(5);
  });
});

describe("a trigger", () => {
  it("hands over what its filter takes, and leaves the rest behind", async () => {
    const { stream } = await openStreams();
    const records = Array.from({ length: 100 }, (_, i) => ({
      partitionKey: `key-${i % 7}`,
      data: JSON.stringify({ number: i, kind: i % 2 === 0 ? "even" : "odd" }),
    }));
    await stream.putRecords([...records, { partitionKey: "key-1", data: "no JSON" }]);
    const calls = new Calls();
    const pattern = { data: { kind: ["even"], number: [{ numeric: [">=", 50] }] } };
    const filter = { Filters: [{ Pattern: JSON.stringify(pattern) }] };
    const trigger = keepTrigger(await stream.trigger(calls.handler, { ...QUICK, filter }));
    await until(() => calls.texts.length === 25);
    await until(async () => (await trigger.describe()).group.leases[0]?.lagRecords === 0);
    const numbers = calls.texts.map((text) => JSON.parse(text).number);
    expect(numbers).toEqual(Array.from({ length: 25 }, (_, i) => 50 + 2 * i));
    expect(trigger.metrics).toMatchObject({ records: 25, filtered: 76 });
  });

  it("stores each on-failure record once when epochs are refused and answers are lost", async () => {
    const { engine, stream, failures } = await openStreams();
    await put(stream, 0, 40);
    const calls = new Calls();
    const spoiled = (text: string): boolean => Number(text) % 20 === 7;
    calls.answer = (batch) => {
      if (batch.some(spoiled)) throw new Error("spoiled");
    };
    const client = new TroubledClient(clientOf(engine));
    const trigger = keepTrigger(
      await openTrigger(client, stream.description, calls.handler, {
        ...{ ...QUICK, batchSize: 5, bisectOnError: true, maxRetries: 0 },
        onFailure: { streamName: "failures" },
      }),
    );
    const failed: unknown[] = [];
    trigger.on("checkpoint-failed", ({ error }) => failed.push(error));
    await until(async () =>
      (await trigger.group.describe()).leases.every(({ lagRecords }) => lagRecords === 0),
    );
    await trigger.stop();
    expect(failed.length).toBeGreaterThan(0);
    expect(sorted(calls.texts)).toEqual(texts(0, 40).filter((text) => !spoiled(text)));
    const letters = (await readAll(failures)).map((one) => one.json<Letter>().KinesisBatchInfo);
    expect(letters.map(({ batchSize }) => batchSize)).toEqual([1, 1]);
    const named = letters.map(({ startSequenceNumber }) => startSequenceNumber);
    const stored = (await readAll(stream)).filter((one) => spoiled(one.text()));
    expect(named.toSorted()).toEqual(stored.map((one) => one.sequenceNumber).toSorted());
  });

  it("refuses at once what it cannot work with", async () => {
    const { stream } = await openStreams();
    const bad: readonly [object, string][] = [
      [{ name: "no spaces" }, "options.name"],
      [{ batchSize: 0 }, "options.batchSize"],
      [{ batchSize: 10_001 }, "options.batchSize"],
      [{ batchWindowMs: 300_001 }, "options.batchWindowMs"],
      [{ parallelizationFactor: 11 }, "options.parallelizationFactor"],
      [{ parallelizationFactor: 2, tumblingWindowS: 10 }, "options.parallelizationFactor"],
      [{ maxRetries: -2 }, "options.maxRetries"],
      [{ maxRecordAgeS: 59 }, "options.maxRecordAgeS"],
      [{ tumblingWindowS: 901 }, "options.tumblingWindowS"],
      [{ onFailure: { stream: "x" } }, "options.onFailure.stream"],
      [{ functionArn: "my-function" }, "options.functionArn"],
      [{ batchsize: 5 }, "options.batchsize"],
      [{ filter: { Filters: [{ Pattern: "{" }] } }, "options.filter.Filters[0].Pattern"],
    ];
    for (const [options, argument] of bad) {
      const refused = await failureOf(stream.trigger(() => undefined, { ...QUICK, ...options }));
      expect(refused).toBeInstanceOf(InvalidArgumentError);
      expect(refused).toMatchObject({ argument });
    }
    const missing = { ...QUICK, onFailure: { streamName: "missing" } };
    expect(await failureOf(stream.trigger(() => undefined, missing))).toBeInstanceOf(
      ResourceNotFoundError,
    );
    expect(await failureOf(stream.trigger("handler" as never, QUICK))).toMatchObject({
      argument: "handler",
    });
  });

  it("of one name shares its shards with others, and none gets a record twice", async () => {
    const { stream } = await openStreams(4);
    const [first, second] = [new Calls(), new Calls()];
    const one = keepTrigger(await stream.trigger(first.handler, QUICK));
    const other = keepTrigger(await stream.trigger(second.handler, QUICK));
    await until(() => one.worker.leases.length === 2 && other.worker.leases.length === 2);
    await put(stream, 0, 400);
    await until(() => first.texts.length + second.texts.length === 400);
    expect(sorted([...first.texts, ...second.texts])).toEqual(texts(0, 400));
    expect(first.texts.length > 0 && second.texts.length > 0).toBe(true);
  });
});
