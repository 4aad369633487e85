/** What travels with calls between page and engine: as what they count, options, and batches of every kind. */
import { BATCH_ORDERED } from "@millrace/core/layout";
import { afterEach, describe, expect, it } from "vitest";
import { pluginPrincipal, ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import { ConnectionDroppedError, IndeterminateError } from "../../src/errors/index.ts";
import { openLocal } from "../../src/local.ts";
import { BatchEncoder, type BatchSettings } from "../../src/rpc/batch-encoder.ts";
import { BufferPool } from "../../src/rpc/buffer-pool.ts";
import type { EngineClient } from "../../src/rpc/client.ts";
import { checkRecord } from "../../src/rpc/record-input.ts";
import { BatchResult } from "../../src/rpc/result-decoder.ts";
import type { CallContext, EngineOptions, ReadRequest } from "../../src/service/engine-service.ts";
import { batchOf, openDouble } from "./double.ts";

const call: CallContext = {
  operation: "PutRecord",
  caller: { principal: pluginPrincipal("csv") },
};

const opened: EngineClient[] = [];
afterEach(async () => {
  for (const client of opened.splice(0)) await client.close();
});

async function open(options: Partial<EngineOptions> = {}): Promise<EngineClient> {
  const client = await openLocal({
    ...{ name: "calls", storage: "memory", quotas: "unlimited" },
    memoryBudgetBytes: 32 * 1024 * 1024,
    ...options,
  });
  opened.push(client);
  return client;
}

function encode(client: EngineClient, texts: readonly string[], streamUid: number) {
  const encoder = new BatchEncoder(client.pool, 4096, { ordered: false });
  for (const text of texts) {
    encoder.add(checkRecord("record", { partitionKey: text, data: text }), "record", 1_048_576);
  }
  return encoder.finish(streamUid);
}

const spec = { name: "clicks", shards: 1, retentionHours: 24, recordKibMax: 1024 };

describe("a call's context", () => {
  it("reaches the engine with puts and reads, and is absent when nobody gave it", async () => {
    const seen: unknown[] = [];
    const { client, thread } = await openDouble({
      put: async (_batch, context) => {
        seen.push(context);
        return new ArrayBuffer(8);
      },
      read: async (request) => {
        seen.push(request.call);
        return new ArrayBuffer(8);
      },
    });
    const read: ReadRequest = {
      ...{ streamUid: 1, cursors: [], recordsMax: 1, bytesMax: 1, waitMs: 0 },
      call,
    };
    await client.put(batchOf(64), { call });
    await client.put(batchOf(64));
    await client.read(read);
    expect(seen).toEqual([call, undefined, call]);
    thread.fail("the test is over");
  });

  it("is what a real engine judges by", async () => {
    const client = await open();
    const stream = await client.call("createStream", spec);
    const put = client.put(encode(client, ["a"], stream.uid), { call });
    await expect(put).rejects.toMatchObject({ name: "AccessDeniedError" });
    const own = await client.put(encode(client, ["a", "b"], stream.uid));
    expect(own === undefined ? -1 : new BatchResult(own, "clicks").failedCount).toBe(0);
  });
});

describe("a connection that a fault dropped", () => {
  it("is not mended behind the caller's back", async () => {
    let puts = 0;
    const { client, thread } = await openDouble({
      put: async () => {
        puts += 1;
        throw new ConnectionDroppedError("dropped", { indeterminate: true });
      },
    });
    await expect(client.put(batchOf(64))).rejects.toBeInstanceOf(ConnectionDroppedError);
    expect(puts).toBe(1);
    thread.fail("the test is over");
  });

  it("differs from an outcome that the engine itself does not know, which is asked again", async () => {
    let puts = 0;
    const { client, thread } = await openDouble({
      put: async () => {
        puts += 1;
        if (puts === 1) throw new IndeterminateError("perhaps");
        return new ArrayBuffer(8);
      },
    });
    await expect(client.put(batchOf(64))).resolves.toBeInstanceOf(ArrayBuffer);
    expect(puts).toBe(2);
    thread.fail("the test is over");
  });

  it("leaves the record stored when it dropped after the put", async () => {
    const client = await open();
    const stream = await client.call("createStream", spec);
    await client.call("setFaults", {
      rules: [{ times: 1, effect: { kind: "dropped-connection", when: "after" } }],
    });
    await expect(client.put(encode(client, ["a"], stream.uid))).rejects.toMatchObject({
      name: "ConnectionDroppedError",
      indeterminate: true,
      retryable: true,
    });
    await client.put(encode(client, ["a"], stream.uid));
    const [metrics] = await client.call("shardMetrics", { name: "clicks" });
    expect(metrics?.incomingRecords).toBe(2);
  });
});

describe("an engine in this thread", () => {
  it("runs on virtual time, while its client's deadlines run on the system's", async () => {
    const client = await open({ time: "virtual", transitionMs: 60_000 });
    const stream = await client.call("createStream", spec);
    expect(stream.status).toBe("CREATING");
    const beforeMs = await client.call("now", {});
    expect(await client.call("advanceTime", { byMs: 60_000 })).toBe(beforeMs + 60_000);
    expect(await client.call("describeStream", { name: "clicks" })).toMatchObject({
      status: "ACTIVE",
    });
    // An hour in the engine is no time at all for whoever waits for it.
    const read = client.read({
      ...{ streamUid: stream.uid, cursors: [{ shardIndex: 0, nextIndex: 0 }] },
      ...{ recordsMax: 1, bytesMax: 1, waitMs: 3_600_000 },
    });
    await client.call("advanceTime", { byMs: 3_600_000 });
    await expect(read).resolves.toBeInstanceOf(ArrayBuffer);
    expect(Math.abs(client.clock.nowMs() - Date.now())).toBeLessThan(1000);
  });

  it("enforces the rates of control operations when it was opened so", async () => {
    const client = await open({ controlQuotas: true });
    const list = () =>
      client.call("invoke", {
        ...{ operation: "DescribeLimits", input: {} },
        caller: { principal: ROOT_PRINCIPAL },
      });
    await list();
    await expect(list()).rejects.toMatchObject({ code: "LimitExceededException" });
  });
});

describe("a batch", () => {
  function flagsOf(settings?: BatchSettings): number {
    const encoder = new BatchEncoder(new BufferPool(), 4096, settings);
    encoder.add(checkRecord("record", { partitionKey: "a", data: "x" }), "record", 1000);
    return new DataView(encoder.finish(1).buffer).getUint16(6, true) & BATCH_ORDERED;
  }

  it("is ordered unless it is made otherwise", () => {
    expect(flagsOf()).toBe(BATCH_ORDERED);
    expect(flagsOf({ ordered: false })).toBe(0);
  });

  it("holds ten records of a mebibyte when it may", () => {
    const counted = (settings?: BatchSettings): number => {
      const encoder = new BatchEncoder(new BufferPool(), 4096, settings);
      const record = checkRecord("record", { partitionKey: "a", data: new Uint8Array(1_048_000) });
      let count = 0;
      while (count < 20 && encoder.add(record, "record", 1_048_576)) count++;
      return count;
    };
    expect(counted()).toBe(1);
    expect(counted({ bytesTarget: 10_600_000 })).toBe(10);
  });
});
