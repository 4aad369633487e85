import { describe, expect, it } from "vitest";
import { ROOT_PRINCIPAL } from "../../../src/access/principals.ts";
import { parseIterator } from "../../../src/model/iterator-token.ts";
import type { OperationName, OutputOf } from "../../../src/model/shapes.ts";
import { virtualPlatform } from "../../../src/platform/virtual-platform.ts";
import { readSlice } from "../../support/batches.ts";
import { numberOf, someRecords, TestEngine } from "../../support/engines.ts";

const StreamName = "clicks";

async function invoke<Name extends OperationName>(
  engine: TestEngine,
  operation: Name,
  input: unknown,
): Promise<OutputOf<Name>> {
  const call = { operation, input, caller: { principal: ROOT_PRINCIPAL } };
  return (await engine.service.call("invoke", call)) as OutputOf<Name>;
}

/** Numbers of all records that an iterator at the trim horizon of a shard leads to. */
async function numbersIn(engine: TestEngine, uid: number, ShardId: string): Promise<number[]> {
  const input = { StreamName, ShardId, ShardIteratorType: "TRIM_HORIZON" };
  const { ShardIterator } = await invoke(engine, "GetShardIterator", input);
  const { shardIndex, nextIndex, issuedMs, createdSeconds } = parseIterator(ShardIterator ?? "");
  const slice = await engine.service.read(
    {
      streamUid: uid,
      iterator: { issuedMs, createdSeconds },
      cursors: [{ shardIndex, nextIndex }],
      recordsMax: 10_000,
      bytesMax: 10_485_760,
      waitMs: 0,
    },
    new AbortController().signal,
  );
  return readSlice(slice).flatMap((part) => part.records.map(numberOf));
}

describe("a stream that is resharded in a running engine", () => {
  it("keeps its lineage and the records of every generation over a new opening", async () => {
    const platform = virtualPlatform();
    const first = await TestEngine.open(platform);
    await invoke(first, "CreateStream", { StreamName, ShardCount: 2 });
    const put = async (from: number) => {
      const stream = await first.service.call("describeStream", { name: StreamName });
      await first.put(stream, someRecords(50, 20, from));
    };
    await put(0);
    await invoke(first, "UpdateShardCount", {
      StreamName,
      TargetShardCount: 3,
      ScalingType: "UNIFORM_SCALING",
    });
    await put(50);
    await platform.clock.advance(1000);
    const { Shards = [] } = await invoke(first, "ListShards", { StreamName });
    const open = Shards.find((one) => one.SequenceNumberRange.EndingSequenceNumber === undefined);
    const { StartingHashKey = "0", EndingHashKey = "0" } = open?.HashKeyRange ?? {};
    await invoke(first, "SplitShard", {
      StreamName,
      ShardToSplit: open?.ShardId,
      NewStartingHashKey: String((BigInt(StartingHashKey) + BigInt(EndingHashKey)) / 2n),
    });
    await put(100);

    const stateOf = async (engine: TestEngine) => {
      const description = await engine.service.call("describeStream", { name: StreamName });
      const listed = await invoke(engine, "ListShards", { StreamName });
      const numbers: number[][] = [];
      for (const { ShardId } of listed.Shards ?? []) {
        numbers.push(await numbersIn(engine, description.uid, ShardId));
      }
      return { description, listed, numbers };
    };
    const before = await stateOf(first);
    expect(before.numbers.flat().sort((a, b) => a - b)).toEqual(
      Array.from({ length: 150 }, (_, i) => i),
    );
    expect(before.description.openShards).toHaveLength(4);
    expect(before.description.closedShards.length).toBeGreaterThan(2);
    expect(before.description.shards).toBe(before.description.openShards.length);
    await first.service.close();

    const second = await TestEngine.open(platform.restart());
    expect(await stateOf(second)).toEqual(before);
    await second.service.close();
  });
});
