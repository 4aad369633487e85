/** What is under way and what comes later when a backend is closed, and answers that do not tell all. */

import { systemRandom } from "@millrace/engine";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../engine/host/src/platform/virtual-clock.ts";
import type { LoadedClient } from "../../src/remote/load-client.ts";
import { RemoteCalls } from "../../src/remote/remote-calls.ts";
import { failureOf } from "../support.ts";
import { openRunning, passed } from "./running-clock.ts";
import { answer, forward, startStub } from "./stub-endpoint.ts";
import { http1, startServe } from "./support.ts";

const RECORD = { partitionKey: "k", data: "x" };
const SURE = { code: "EngineClosedException", indeterminate: false };

/** A stream behind an endpoint whose PutRecords are answered by `put`. */
async function openBehind(put: (question: Parameters<typeof forward>[1], url: string) => void) {
  const { url } = await startServe();
  const endpoint = await startStub((question) => {
    if (question.operation === "PutRecords") put(question, url);
    else forward(url, question);
  });
  const remote = await openRunning(endpoint, { requestHandler: http1() });
  return { remote, stream: await remote.streams.create("clicks") };
}

describe("closing", () => {
  it("puts what was put before, refuses what comes later, and ends under a loop of puts", async () => {
    const { remote, stream } = await openBehind((question, url) =>
      setTimeout(() => forward(url, question), 20),
    );
    const before = Array.from({ length: 5 }, () => stream.putRecord(RECORD));
    const loop = failureOf(
      (async () => {
        for (;;) await stream.putRecord({ ...RECORD, partitionKey: "loop" });
      })(),
    );
    const closing = remote.close();
    const late = [stream.putRecord(RECORD), remote.streams.list(), stream.describe()];
    for (const failure of await Promise.all(late.map(failureOf))) {
      expect(failure).toMatchObject(SURE);
    }
    await closing;
    expect(new Set((await Promise.all(before)).map((put) => put.sequenceNumber)).size).toBe(5);
    expect(await loop).toMatchObject(SURE);
  });

  it("lets a producer's call under way end", async () => {
    let arrive: (goOn: () => void) => void = () => undefined;
    const arrived = new Promise<() => void>((resolve) => {
      arrive = resolve;
    });
    const { remote, stream } = await openBehind((question, url) =>
      arrive(() => forward(url, question)),
    );
    const producer = await stream.producer({ maxBufferedMs: 0 });
    const put = producer.put(RECORD);
    const goOn = await arrived;
    const closing = remote.close();
    // A closing that waits for nothing is over by then.
    await passed(100);
    goOn();
    await closing;
    expect((await put).attempts).toHaveLength(1);
  });

  it("leaves open what came of changes on their way, and of nothing else", async () => {
    const client: LoadedClient = {
      send: () => new Promise(() => undefined),
      close: () => undefined,
      another: async () => client,
    };
    const clock = new VirtualClock(0);
    const surroundings = { clock, random: systemRandom, deadlineMs: 1000, place: "there" };
    const calls = new RemoteCalls(client, surroundings);
    const put = failureOf(calls.call("PutRecords", { StreamName: "clicks", Records: [] }));
    const read = failureOf(calls.call("ListStreams", {}));
    const settled = calls.settled();
    calls.close();
    expect(await put).toMatchObject({ ...SURE, indeterminate: true });
    expect(await read).toMatchObject(SURE);
    await settled;
    expect(await failureOf(calls.call("DeleteStream", { StreamName: "clicks" }))).toMatchObject(
      SURE,
    );
  });
});

describe("an answer without an outcome for a record", () => {
  it.each([
    ["no entry", []],
    ["an empty entry", [{}]],
  ])("leaves it open what came of it: %s", async (_what, Records) => {
    const { stream } = await openBehind(({ response }) =>
      answer(response, 200, { FailedRecordCount: 0, Records }),
    );
    const lost = { code: "InternalFailureException", indeterminate: true };
    expect(await failureOf(stream.putRecord(RECORD))).toMatchObject(lost);
    expect(await failureOf(stream.putRecords([RECORD, RECORD]))).toMatchObject(lost);
    const producer = await stream.producer({ recordTtlMs: 400 });
    expect(await failureOf(producer.put(RECORD))).toMatchObject({
      code: "RecordExpiredException",
      indeterminate: true,
    });
  });
});
