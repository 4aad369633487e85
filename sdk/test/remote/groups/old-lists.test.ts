/** Consumer groups of streams that are resharded while ListShards is a little old. */
import { encodeAggregate } from "millrace/aggregation";
import { describe, expect, it } from "vitest";
import { hashKeyFrom } from "../../../src/aggregation/hash-key.ts";
import { type ReplicationMark, sourceOf, tagOf } from "../../../src/replication/mark.ts";
import { numbered, sorted, texts, until } from "../../groups/support.ts";
import { MemoryLeases } from "../memory-leases.ts";
import { answer, forward, startStub } from "../stub-endpoint.ts";
import { http1, openRemote, startServe } from "../support.ts";
import { groupOf, startNoted } from "./support.ts";

/** An aggregate of records that were shipped from a stream with one shard, where their data are their indexes. */
function shipped(from: number, to: number): Uint8Array<ArrayBuffer> {
  const incarnation = "0123456789abcdef0123456789abcdef";
  const range = { start: hashKeyFrom(0n), end: hashKeyFrom((1n << 128n) - 1n) };
  const source = sourceOf({ incarnation, streamUid: 1 }, 0, "0123456789abcdef", range);
  let before: ReplicationMark | undefined;
  const members = numbered(from, to).map(({ data }) => {
    const mark = { source, index: Number(data), subSequenceNumber: 0 };
    const tag = tagOf(mark, before);
    before = mark;
    return { partitionKey: "key", data: new TextEncoder().encode(data), tags: [tag] };
  });
  return encodeAggregate(members);
}

describe("a group", () => {
  it("drops repeats after a split although its children are listed late", async () => {
    const { url } = await startServe();
    const direct = await (await openRemote(url)).streams.create("clicks");
    const before = await direct.describe();
    let isOld = false;
    const endpoint = await startStub((question) => {
      if (question.operation !== "ListShards" || !isOld) return forward(url, question);
      const [shard] = before.openShards;
      answer(question.response, 200, {
        Shards: [
          {
            ShardId: shard?.shardId,
            HashKeyRange: {
              StartingHashKey: shard?.startingHashKey,
              EndingHashKey: shard?.endingHashKey,
            },
            SequenceNumberRange: { StartingSequenceNumber: shard?.startingSequenceNumber },
          },
        ],
      });
    });
    const remote = await openRemote(endpoint, { requestHandler: http1() });
    const stream = await remote.streams.get("clicks");
    const group = await groupOf(stream, new MemoryLeases(), { failoverMs: 10_000 });
    const { worker, notes } = startNoted(group);
    const failures: unknown[] = [];
    worker.on("processing-failed", ({ error }) => {
      failures.push(error);
      isOld = false;
    });
    await direct.putRecord({ partitionKey: "key", data: shipped(0, 20) });
    await until(() => notes.records.length === 20);
    isOld = true;
    await direct.split("shardId-000000000000");
    await direct.putRecord({ partitionKey: "key", data: shipped(10, 30) });
    await until(() => notes.texts.includes("29"));
    expect(failures).toEqual([expect.objectContaining({ name: "RemoteUnavailableError" })]);
    expect(sorted(notes.texts)).toEqual(texts(0, 30));
  });
});
