/** Injected faults in an engine: what callers see, and what took effect nevertheless. */
import { STATUS_FAULT, STATUS_OK } from "@millrace/core/layout";
import { describe, expect, it } from "vitest";
import { ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import { BatchResult } from "../../src/rpc/result-decoder.ts";
import type { FaultRule } from "../../src/service/engine-service.ts";
import { ApiEngine, callOf, turns } from "../support/api-calls.ts";
import { readResult } from "../support/batches.ts";
import { numberOf, someRecords } from "../support/engines.ts";

async function openWith(rules: readonly FaultRule[], shards = 1) {
  const api = await ApiEngine.open();
  const stream = await api.engine.createStream("clicks", shards);
  await api.service.call("setFaults", { rules });
  return { api, stream };
}

describe("injected faults", () => {
  it("fail control operations without an effect, until they are cleared", async () => {
    const effect = { kind: "error", code: "LimitExceededException", message: "enough" } as const;
    const { api } = await openWith([{ operation: "CreateStream", effect }]);
    const create = (): Promise<unknown> =>
      api.invoke("CreateStream", { StreamName: "a", ShardCount: 1 });
    await expect(create()).rejects.toMatchObject({
      code: "LimitExceededException",
      message: "enough",
    });
    // The typed operation is the same call.
    await expect(api.engine.createStream("b")).rejects.toMatchObject({ message: "enough" });
    expect((await api.invoke("ListStreams", {})).StreamNames).toEqual(["clicks"]);
    expect(await api.service.call("faults", {})).toEqual([{ operation: "CreateStream", effect }]);
    await api.service.call("setFaults", { rules: [] });
    await create();
    await api.close();
  });

  it("choose control operations by the stream and shard in their input", async () => {
    const effect = { kind: "error", code: "InternalFailureException" } as const;
    const { api } = await openWith([{ stream: "clicks", shardId: "shardId-000000000001", effect }]);
    const iterator = (name: string, ShardId: string): Promise<unknown> => {
      const StreamARN = `arn:aws:kinesis:us-east-1:000000000000:stream/${name}`;
      return api.invoke("GetShardIterator", { StreamARN, ShardId, ShardIteratorType: "LATEST" });
    };
    await expect(iterator("clicks", "shardId-1")).rejects.toMatchObject({ code: effect.code });
    await expect(iterator("clicks", "shardId-0")).resolves.toBeDefined();
    await api.close();
  });

  it("hold a put back, and lose none that comes behind it", async () => {
    const { api, stream } = await openWith([{ times: 1, effect: { kind: "delay", delayMs: 500 } }]);
    const held = api.put(stream, someRecords(3));
    const [, second] = await Promise.all([turns(), api.put(stream, someRecords(3, 100, 3))]);
    expect(second.every((row) => row.status === STATUS_OK)).toBe(true);
    await api.platform.clock.advance(499);
    expect((await api.engine.readAll(stream)).map(numberOf)).toEqual([3, 4, 5]);
    await api.platform.clock.advance(1);
    expect((await held).every((row) => row.status === STATUS_OK)).toBe(true);
    expect((await api.engine.readAll(stream)).map(numberOf)).toEqual([3, 4, 5, 0, 1, 2]);
    await api.close();
  });

  it("leave a put that was held back its number, so that it is known when it is sent again", async () => {
    const { api, stream } = await openWith([{ times: 1, effect: { kind: "delay", delayMs: 500 } }]);
    const batches = [0, 1].map((i) => api.batch(stream, someRecords(1, 100, i)));
    const put = async (i: number) => {
      const order = { settledBefore: 1, ageMs: 0 };
      const copy = batches[i]?.slice(0) ?? new ArrayBuffer(0);
      return readResult(await api.service.put(copy, callOf("PutRecords"), order));
    };
    const held = put(0);
    await turns();
    const second = await put(1);
    const joined = put(0);
    await turns();
    await api.platform.clock.advance(500);
    expect(await joined).toEqual(await held);
    const platform = api.platform.restart();
    const next = await ApiEngine.open({}, platform);
    for (const [i, rows] of [await held, second].entries()) {
      const batch = batches[i] ?? new ArrayBuffer(0);
      expect(readResult(await next.service.put(batch))).toEqual(rows);
    }
    expect((await next.engine.readAll(stream)).map(numberOf)).toEqual([1, 0]);
    await next.close();
  });

  it("hold a read back until it is given up", async () => {
    const { api, stream } = await openWith([{ effect: { kind: "delay", delayMs: 60_000 } }]);
    const controller = new AbortController();
    const request = {
      ...{ streamUid: stream.uid, cursors: [{ shardIndex: 0, nextIndex: 0 }] },
      ...{ recordsMax: 1, bytesMax: 1, waitMs: 0 },
    };
    const read = api.service.read(request, controller.signal);
    await turns();
    controller.abort(new Error("given up"));
    await expect(read).rejects.toThrow("given up");
    await api.close();
  });

  it("refuse some records of PutRecords, with either of AWS's codes", async () => {
    for (const code of ["ProvisionedThroughputExceededException", "InternalFailure"] as const) {
      const effect = { kind: "partial-failure", recordProbability: 0.4, code } as const;
      const { api, stream } = await openWith([{ effect }]);
      const result = await api.service.put(api.batch(stream, someRecords(200)));
      const outcomes = new BatchResult(result, "clicks");
      expect(outcomes.failedCount).toBeGreaterThan(40);
      expect(outcomes.failedCount).toBeLessThan(120);
      const failed = Array.from({ length: 200 }, (_, i) => i).filter((i) => outcomes.failed(i));
      for (const i of failed) expect(outcomes.get(i)).toMatchObject({ errorCode: code });
      const stored = (await api.engine.readAll(stream)).map(numberOf);
      expect(stored).toHaveLength(200 - failed.length);
      expect(stored.filter((number) => failed.includes(number))).toEqual([]);
      await api.close();
    }
  });

  it("refuse the records of one shard only, by key and by explicit hash key", async () => {
    const effect = { kind: "partial-failure", recordProbability: 1 } as const;
    const { api, stream } = await openWith([{ shardId: "shardId-000000000002", effect }], 4);
    const explicit = someRecords(8, 50, 100).map((record, i) => ({
      ...record,
      explicitHashKey: (BigInt(i % 4) << 126n) + BigInt(i),
    }));
    const rows = await api.put(stream, [...someRecords(100), ...explicit]);
    expect(rows.filter((row) => row.shardIndex === 2).length).toBeGreaterThan(10);
    for (const row of rows) {
      expect(row.status).toBe(row.shardIndex === 2 ? STATUS_FAULT : STATUS_OK);
    }
    await api.close();
  });

  it("fail a put whose records touch the shard, and no other", async () => {
    const effect = { kind: "error", code: "ProvisionedThroughputExceededException" } as const;
    const { api, stream } = await openWith([{ shardId: "shardId-000000000001", effect }], 2);
    const to = (shard: bigint) =>
      someRecords(1).map((record) => ({ ...record, explicitHashKey: shard << 127n }));
    await expect(api.put(stream, to(1n))).rejects.toMatchObject({ code: effect.code });
    await expect(api.put(stream, to(0n))).resolves.toHaveLength(1);
    await api.close();
  });

  it("drop the connection before or after a put takes effect", async () => {
    for (const when of ["before", "after"] as const) {
      const effect = { kind: "dropped-connection", when } as const;
      const { api, stream } = await openWith([{ operation: "PutRecord", times: 1, effect }]);
      await expect(api.put(stream, someRecords(1), callOf("PutRecord"))).rejects.toMatchObject({
        name: "ConnectionDroppedError",
        indeterminate: when === "after",
      });
      expect(await api.engine.readAll(stream)).toHaveLength(when === "after" ? 1 : 0);
      await api.close();
    }
  });

  it("drop the connection after a stream was made", async () => {
    const effect = { kind: "dropped-connection", when: "after" } as const;
    const { api } = await openWith([{ operation: "CreateStream", effect }]);
    await expect(
      api.invoke("CreateStream", { StreamName: "a", ShardCount: 1 }),
    ).rejects.toMatchObject({ name: "ConnectionDroppedError", indeterminate: true });
    expect((await api.invoke("ListStreams", {})).StreamNames).toEqual(["a", "clicks"]);
    await api.close();
  });

  it("fail a read and a subscription by their operation", async () => {
    const effect = { kind: "error", code: "InternalFailureException" } as const;
    const { api, stream } = await openWith([
      { operation: "GetRecords", times: 1, effect },
      { operation: "SubscribeToShard", times: 1, effect },
    ]);
    await expect(api.read(stream)).rejects.toMatchObject({ code: effect.code });
    await expect(api.read(stream)).resolves.toBeDefined();
    const { Consumer } = await api.invoke("RegisterStreamConsumer", {
      StreamARN: stream.arn,
      ConsumerName: "app",
    });
    const subscribe = () =>
      api.service.call("openSubscription", {
        operation: "SubscribeToShard",
        input: {
          ...{ ConsumerARN: Consumer.ConsumerARN, ShardId: "shardId-000000000000" },
          StartingPosition: { Type: "LATEST" },
        },
        caller: { principal: ROOT_PRINCIPAL },
      });
    await expect(subscribe()).rejects.toMatchObject({ code: effect.code });
    await expect(subscribe()).resolves.toMatchObject({ streamName: "clicks", shardIndex: 0 });
    await api.close();
  });
});
