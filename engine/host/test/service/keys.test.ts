/** Master keys and encrypted streams through a whole engine: who may, what is refused, what shredding leaves. */
import { describe, expect, it, vi } from "vitest";
import { framePrincipal, ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import {
  InvalidArgumentError,
  KeyLostError,
  KmsAccessDeniedError,
  KmsDisabledError,
  KmsInvalidStateError,
  KmsNotFoundError,
  ResourceInUseError,
} from "../../src/errors/index.ts";
import type { InputOf, OperationName, OutputOf } from "../../src/model/shapes.ts";
import { type VirtualPlatform, virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { CallContext, StreamDescription } from "../../src/service/engine-service.ts";
import { MemoryLogStore } from "../../src/storage/memory-store.ts";
import { buildBatch } from "../support/batches.ts";
import { numberOf, someRecords, TestEngine } from "../support/engines.ts";
import { diskContains, marked } from "../support/secrets.ts";

const STRANGER = framePrincipal("https://shop.example");
const never = new AbortController().signal;

async function invoke<Name extends OperationName>(
  engine: TestEngine,
  operation: Name,
  input: InputOf<Name>,
  principal = ROOT_PRINCIPAL,
): Promise<OutputOf<Name>> {
  const caller = { principal };
  const answer: unknown = await engine.service.call("invoke", { operation, input, caller });
  return answer as OutputOf<Name>;
}

const start = (engine: TestEngine, KeyId = "alias/shop", StreamName = "clicks") =>
  invoke(engine, "StartStreamEncryption", { StreamName, EncryptionType: "KMS", KeyId });
const stop = (engine: TestEngine, KeyId = "alias/shop", StreamName = "clicks") =>
  invoke(engine, "StopStreamEncryption", { StreamName, EncryptionType: "KMS", KeyId });

/** An engine with a key, and a stream under it. */
async function encrypted(
  platform: VirtualPlatform = virtualPlatform(),
  options = {},
): Promise<{ engine: TestEngine; stream: StreamDescription; keyId: string }> {
  const engine = await TestEngine.open(platform, options);
  const stream = await engine.createStream("clicks", 2);
  const key = await engine.service.call("keysCreate", { alias: "alias/shop", policy: null });
  await start(engine);
  return { engine, stream, keyId: key.keyId };
}

function storeOf(platform: VirtualPlatform): MemoryLogStore {
  return new MemoryLogStore({ disk: platform.stores.disk("test") });
}

async function numbers(engine: TestEngine, stream: StreamDescription): Promise<number[]> {
  return (await engine.readAll(stream)).map(numberOf).sort((a, b) => a - b);
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i);

/** Puts one record as somebody. */
async function putAs(
  engine: TestEngine,
  { uid }: StreamDescription,
  principal: string,
  batchNumber: number,
): Promise<void> {
  const batch = buildBatch({ streamUid: uid, batchNumber, records: someRecords(1), producer: 77 });
  await engine.service.put(batch, { operation: "PutRecords", caller: { principal } });
}

async function readAs(
  engine: TestEngine,
  { uid }: StreamDescription,
  principal: string,
): Promise<void> {
  const call: CallContext = { operation: "GetRecords", caller: { principal } };
  const cursors = [{ shardIndex: 0, nextIndex: 0 }];
  const limits = { recordsMax: 10, bytesMax: 1_000_000, waitMs: 0 };
  await engine.service.read({ call, streamUid: uid, cursors, ...limits }, never);
}

describe("an encrypted stream", () => {
  it("takes and gives records as any other, says so, and leaves no plain text in the store", async () => {
    const platform = virtualPlatform();
    const { engine, stream, keyId } = await encrypted(platform);
    await engine.put(stream, someRecords(30));
    await engine.put(stream, marked("a secret", 30));
    expect(await numbers(engine, stream)).toEqual(range(0, 31));
    const described = await engine.service.call("describeStream", { name: "clicks" });
    expect(described.encryption).toEqual({
      masterKeyId: keyId,
      keyName: "alias/shop",
      shredded: false,
    });
    const { StreamDescription } = await invoke(engine, "DescribeStream", { StreamName: "clicks" });
    expect(StreamDescription).toMatchObject({ EncryptionType: "KMS", KeyId: "alias/shop" });
    const { StreamDescriptionSummary } = await invoke(engine, "DescribeStreamSummary", {
      StreamName: "clicks",
    });
    expect(StreamDescriptionSummary).toMatchObject({ EncryptionType: "KMS", KeyId: "alias/shop" });
    await engine.service.close();
    expect(await diskContains(storeOf(platform), "a secret")).toBe(false);
    const again = await TestEngine.open(platform.restart());
    expect(await numbers(again, stream)).toEqual(range(0, 31));
    await again.service.close();
  });

  it("marks the results of its puts, repeated ones too, and those of others not", async () => {
    const { engine, stream } = await encrypted();
    const plain = await engine.createStream("plain");
    const flags = async ({ uid }: StreamDescription): Promise<number> => {
      const batch = buildBatch({
        ...{ streamUid: uid, batchNumber: 1, records: someRecords(3), producer: uid },
      });
      return new DataView(await engine.service.put(batch)).getUint16(6, true);
    };
    expect([await flags(stream), await flags(stream)]).toEqual([1, 1]);
    expect(await flags(plain)).toBe(0);
    await stop(engine);
    const batch = buildBatch({
      ...{ streamUid: stream.uid, batchNumber: 2, records: someRecords(1), producer: stream.uid },
    });
    expect(new DataView(await engine.service.put(batch)).getUint16(6, true)).toBe(0);
    await engine.service.close();
  });

  it("is UPDATING for a while after its encryption began, as AWS has it", async () => {
    const platform = virtualPlatform();
    const engine = await TestEngine.open(platform, { transitionMs: 1000 });
    await engine.createStream();
    await expect(start(engine, "alias/aws/kinesis")).rejects.toBeInstanceOf(ResourceInUseError);
    platform.clock.advanceBy(1000);
    await start(engine, "alias/aws/kinesis");
    const { status } = await engine.service.call("describeStream", { name: "clicks" });
    expect(status).toBe("UPDATING");
    await expect(stop(engine, "alias/aws/kinesis")).rejects.toBeInstanceOf(ResourceInUseError);
    platform.clock.advanceBy(1000);
    await stop(engine, "alias/aws/kinesis");
    await engine.service.close();
  });

  it("stays as it is when it gets the key that it has, and makes no further data key", async () => {
    const platform = virtualPlatform();
    const { engine, keyId } = await encrypted(platform);
    const before = [...platform.vaults.keys("test").keys()];
    await start(engine);
    await start(engine, keyId);
    expect([...platform.vaults.keys("test").keys()]).toEqual(before);
    await engine.service.close();
  });

  it("is not encrypted any more after the stop; stopping twice and with another key", async () => {
    const { engine, stream } = await encrypted();
    await engine.put(stream, someRecords(5));
    await expect(stop(engine, "alias/aws/kinesis")).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(stop(engine, "alias/none")).rejects.toBeInstanceOf(KmsNotFoundError);
    await stop(engine);
    await stop(engine);
    const { encryption } = await engine.service.call("describeStream", { name: "clicks" });
    expect(encryption).toBeNull();
    await engine.put(stream, someRecords(5, 100, 5));
    expect(await numbers(engine, stream)).toEqual(range(0, 10));
    await engine.service.close();
  });

  it("takes its data keys along when it is deleted", async () => {
    const platform = virtualPlatform();
    const { engine } = await encrypted(platform);
    expect(platform.vaults.has("test")).toBe(true);
    await engine.service.call("deleteStream", { name: "clicks" });
    await engine.service.close();
    const again = await TestEngine.open(platform.restart());
    expect(platform.vaults.has("test")).toBe(false);
    const stream = await again.createStream("clicks", 1);
    await start(again);
    // The number of the key that is gone is not used again.
    expect([...platform.vaults.keys("test").keys()]).toEqual([2]);
    await again.put(stream, someRecords(3));
    await again.service.close();
  });

  it("takes them along in an engine that stays open, too, and when everything is reset", async () => {
    const platform = virtualPlatform();
    const { engine } = await encrypted(platform);
    await engine.service.call("deleteStream", { name: "clicks" });
    platform.clock.advanceBy(60_000);
    await vi.waitFor(() => expect(platform.vaults.has("test")).toBe(false));
    await engine.createStream("clicks");
    await start(engine);
    expect(platform.vaults.has("test")).toBe(true);
    await engine.service.call("reset", {});
    expect(platform.vaults.has("test")).toBe(false);
    expect(await engine.service.call("keysList", {})).toHaveLength(1);
    await engine.service.close();
  });
});

describe("master keys", () => {
  it("are listed with the one that is there by itself, and found by id, alias and ARN", async () => {
    const { engine, keyId } = await encrypted();
    const keys = await engine.service.call("keysList", {});
    expect(keys.map(({ alias, managed, streams }) => ({ alias, managed, streams }))).toEqual([
      { alias: "alias/aws/kinesis", managed: true, streams: [] },
      { alias: "alias/shop", managed: false, streams: ["clicks"] },
    ]);
    const arn = `arn:aws:kms:us-east-1:000000000000:key/${keyId}`;
    for (const text of [
      keyId,
      "alias/shop",
      arn,
      "arn:aws:kms:eu-west-1:123456789012:alias/shop",
    ]) {
      const found = await engine.service.call("keysDescribe", { keyId: text });
      expect(found).toMatchObject({ keyId, arn, state: "Enabled", policy: null });
    }
    expect(keyId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    await engine.service.close();
  });

  it("that there are not are KMS's error, and names that no key has are invalid", async () => {
    const { engine } = await encrypted();
    const missing = "12345678-1234-1234-1234-123456789012";
    for (const KeyId of [
      missing,
      "alias/none",
      `arn:aws:kms:us-east-1:000000000000:key/${missing}`,
    ]) {
      await expect(start(engine, KeyId)).rejects.toBeInstanceOf(KmsNotFoundError);
    }
    await expect(start(engine, "no key")).rejects.toBeInstanceOf(InvalidArgumentError);
    const create = (alias: string) => engine.service.call("keysCreate", { alias, policy: null });
    await expect(create("alias/shop")).rejects.toBeInstanceOf(ResourceInUseError);
    for (const alias of ["shop", "alias/", "alias/aws/mine", "alias/a b"]) {
      await expect(create(alias)).rejects.toBeInstanceOf(InvalidArgumentError);
    }
    await engine.service.close();
  });

  it("that are disabled encrypt and decrypt nothing until they are enabled", async () => {
    const { engine, stream, keyId } = await encrypted();
    await engine.put(stream, someRecords(5));
    await engine.service.call("keysSetEnabled", { keyId, enabled: false });
    await expect(engine.put(stream, someRecords(5))).rejects.toBeInstanceOf(KmsDisabledError);
    await expect(engine.readAll(stream)).rejects.toBeInstanceOf(KmsDisabledError);
    const other = await engine.createStream("orders");
    await expect(start(engine, "alias/shop", "orders")).rejects.toBeInstanceOf(KmsDisabledError);
    await engine.put(other, someRecords(1));
    await engine.service.call("keysSetEnabled", { keyId, enabled: true });
    await engine.put(stream, someRecords(5, 100, 5));
    expect(await numbers(engine, stream)).toEqual(range(0, 10));
    await engine.service.close();
  });

  it("are for the account alone, unless a policy says otherwise", async () => {
    const { engine, stream, keyId } = await encrypted();
    const streamPolicy = JSON.stringify({
      Version: "2012-10-17",
      Statement: [
        {
          ...{ Effect: "Allow", Principal: { AWS: STRANGER }, Resource: stream.arn },
          Action: ["kinesis:PutRecords", "kinesis:GetRecords"],
        },
      ],
    });
    await invoke(engine, "PutResourcePolicy", { ResourceARN: stream.arn, Policy: streamPolicy });
    const puts = (batchNumber: number) => putAs(engine, stream, STRANGER, batchNumber);
    const reads = () => readAs(engine, stream, STRANGER);
    await expect(puts(1)).rejects.toBeInstanceOf(KmsAccessDeniedError);
    await expect(reads()).rejects.toThrow("not authorized to perform: kms:Decrypt on resource");
    const policy = (actions: string[]) =>
      JSON.stringify({
        Statement: [
          { Effect: "Allow", Principal: { AWS: STRANGER }, Action: actions, Resource: "*" },
        ],
      });
    const set = (text: string | null) =>
      engine.service.call("keysSetPolicy", { keyId, policy: text });
    await set(policy(["kms:GenerateDataKey"]));
    await puts(2);
    await expect(reads()).rejects.toBeInstanceOf(KmsAccessDeniedError);
    // A policy is the only word on its key: it allows the application nothing.
    await expect(readAs(engine, stream, ROOT_PRINCIPAL)).rejects.toBeInstanceOf(
      KmsAccessDeniedError,
    );
    await set(policy(["kms:Decrypt", "kms:Encrypt"]));
    await expect(puts(3)).rejects.toBeInstanceOf(KmsAccessDeniedError);
    await reads();
    await set(null);
    await putAs(engine, stream, ROOT_PRINCIPAL, 4);
    await expect(set("{}")).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(set(policy(["kinesis:PutRecord"]))).rejects.toBeInstanceOf(InvalidArgumentError);
    await engine.service.close();
  });

  it("are rotated for all their streams; what the old data keys encrypted can still be read", async () => {
    const platform = virtualPlatform();
    const { engine, stream, keyId } = await encrypted(platform);
    const orders = await engine.createStream("orders");
    await start(engine, "alias/shop", "orders");
    await engine.put(stream, someRecords(10));
    expect(await engine.service.call("keysRotate", { keyId })).toBe(2);
    expect([...platform.vaults.keys("test").keys()]).toEqual([1, 2, 3, 4]);
    await engine.put(stream, someRecords(10, 100, 10));
    await engine.put(orders, someRecords(10));
    const { encryption } = await engine.service.call("describeStream", { name: "clicks" });
    expect(encryption?.keyName).toBe("alias/shop");
    await engine.service.close();
    const again = await TestEngine.open(platform.restart());
    expect(await numbers(again, stream)).toEqual(range(0, 20));
    expect(await numbers(again, orders)).toEqual(range(0, 10));
    await again.service.close();
  });

  it("cannot be changed when they are AWS's own", async () => {
    const { engine } = await encrypted();
    const keyId = "alias/aws/kinesis";
    await expect(
      engine.service.call("keysSetEnabled", { keyId, enabled: false }),
    ).rejects.toBeInstanceOf(InvalidArgumentError);
    await expect(engine.service.call("keysDestroy", { keyId })).rejects.toBeInstanceOf(
      InvalidArgumentError,
    );
    await engine.service.close();
  });

  it("that a leader made are this call's own, when it is made again under the next one", async () => {
    const { engine, keyId } = await encrypted();
    const again = await engine.service.call(
      "keysCreate",
      { alias: "alias/shop", policy: null },
      true,
    );
    expect(again.keyId).toBe(keyId);
    await engine.service.call("keysDestroy", { keyId });
    expect(await engine.service.call("keysDestroy", { keyId }, true)).toEqual({ streams: 0 });
    await engine.service.close();
  });
});

describe("shredding", () => {
  it("ends a stream's records at once and for ever, and its neighbours' not", async () => {
    const platform = virtualPlatform();
    const { engine, stream } = await encrypted(platform);
    const orders = await engine.createStream("orders");
    await start(engine, "alias/shop", "orders");
    await Promise.all([engine.put(stream, someRecords(20)), engine.put(orders, someRecords(20))]);
    await engine.service.call("shredStream", { name: "clicks" });
    await expect(engine.readAll(stream)).rejects.toBeInstanceOf(KeyLostError);
    await expect(engine.put(stream, someRecords(1))).rejects.toBeInstanceOf(KeyLostError);
    expect(await numbers(engine, orders)).toEqual(range(0, 20));
    await engine.put(orders, someRecords(5, 100, 20));
    expect([...platform.vaults.keys("test").keys()]).toEqual([2]);
    const { encryption } = await engine.service.call("describeStream", { name: "clicks" });
    expect(encryption).toMatchObject({ keyName: "alias/shop", shredded: true });
    expect(await engine.service.call("dataLoss", {})).toEqual([]);
    // With another key it takes records again, and nothing of before comes back.
    await start(engine);
    await engine.put(stream, someRecords(4, 100, 90));
    expect(await numbers(engine, stream)).toEqual(range(90, 94));
    await engine.service.close();
    const again = await TestEngine.open(platform.restart());
    expect(await numbers(again, stream)).toEqual(range(90, 94));
    expect(await numbers(again, orders)).toEqual(range(0, 25));
    expect(await again.service.call("dataLoss", {})).toEqual([]);
    await again.service.close();
  });

  it("is not undone by a put or a read that was under way", async () => {
    const { engine, stream } = await encrypted();
    await engine.put(stream, someRecords(10));
    const cursors = [{ shardIndex: 0, nextIndex: 1_000_000 }];
    const request = { streamUid: stream.uid, cursors, recordsMax: 10, bytesMax: 1000 };
    const waiting = engine.service.read({ ...request, waitMs: 60_000 }, never);
    const settled = Promise.allSettled([waiting, engine.put(stream, someRecords(10, 100, 10))]);
    await engine.service.call("shredStream", { name: "clicks" });
    const [read] = await settled;
    expect(read).toMatchObject({ status: "rejected", reason: expect.any(KeyLostError) });
    await start(engine);
    expect(await numbers(engine, stream)).toEqual([]);
    await engine.service.close();
  });

  it("of a master key ends all streams under it, and frees its alias", async () => {
    const { engine, stream, keyId } = await encrypted();
    const orders = await engine.createStream("orders");
    await start(engine, "alias/aws/kinesis", "orders");
    await engine.put(stream, someRecords(3));
    await engine.put(orders, someRecords(3));
    expect(await engine.service.call("keysDestroy", { keyId })).toEqual({ streams: 1 });
    await expect(engine.readAll(stream)).rejects.toBeInstanceOf(KeyLostError);
    expect(await numbers(engine, orders)).toEqual(range(0, 3));
    await expect(start(engine, keyId)).rejects.toBeInstanceOf(KmsInvalidStateError);
    await expect(
      engine.service.call("keysSetEnabled", { keyId, enabled: true }),
    ).rejects.toBeInstanceOf(KmsInvalidStateError);
    const next = await engine.service.call("keysCreate", { alias: "alias/shop", policy: null });
    expect(next.keyId).not.toBe(keyId);
    await start(engine);
    await engine.put(stream, someRecords(3, 100, 50));
    expect(await numbers(engine, stream)).toEqual(range(50, 53));
    await engine.service.close();
  });

  it("is finished by the next leader when this one died before the vault was told", async () => {
    const platform = virtualPlatform();
    const { engine, stream } = await encrypted(platform);
    await engine.put(stream, someRecords(10));
    const [[dataKeyId, secret] = [0, 0]] = platform.vaults.keys("test");
    await engine.service.call("shredStream", { name: "clicks" });
    await engine.service.close();
    platform.vaults.keys("test").set(dataKeyId, secret);
    const again = await TestEngine.open(platform.restart());
    expect(platform.vaults.has("test")).toBe(false);
    await expect(again.readAll(stream)).rejects.toBeInstanceOf(KeyLostError);
    await again.service.close();
  });

  it("needs a key to destroy, and a stream", async () => {
    const { engine } = await encrypted();
    await engine.createStream("plain");
    await expect(engine.service.call("shredStream", { name: "plain" })).rejects.toBeInstanceOf(
      InvalidArgumentError,
    );
    await expect(engine.service.call("shredStream", { name: "none" })).rejects.toMatchObject({
      code: "ResourceNotFoundException",
    });
    await engine.service.close();
  });

  it("that is made again under the next leader is over already", async () => {
    const { engine, stream } = await encrypted();
    await engine.put(stream, someRecords(3));
    await stop(engine);
    await engine.service.call("shredStream", { name: "clicks" });
    await engine.service.call("shredStream", { name: "clicks" }, true);
    await expect(engine.service.call("shredStream", { name: "clicks" })).rejects.toBeInstanceOf(
      InvalidArgumentError,
    );
    await engine.createStream("plain");
    await expect(
      engine.service.call("shredStream", { name: "plain" }, true),
    ).rejects.toBeInstanceOf(InvalidArgumentError);
    await engine.service.close();
  });

  it("of many streams, one after the other, ends no read of another one", async () => {
    const { engine } = await encrypted();
    const names = range(0, 10).map((i) => `shredded-${i}`);
    for (const name of names) {
      await engine.createStream(name);
      await start(engine, "alias/shop", name);
    }
    const orders = await engine.createStream("orders");
    const cursors = [{ shardIndex: 0, nextIndex: 0 }];
    const request = { streamUid: orders.uid, cursors, recordsMax: 10, bytesMax: 1_000_000 };
    const waiting = engine.service.read({ ...request, waitMs: 60_000 }, never);
    for (const name of names) await engine.service.call("shredStream", { name });
    await engine.put(orders, someRecords(3));
    expect((await waiting).byteLength).toBeGreaterThan(300);
    await engine.service.close();
  });

  it("hides what an engine in memory holds, too", async () => {
    const platform = virtualPlatform({ recoverable: false });
    const { engine, stream } = await encrypted(platform, { storage: "memory" });
    await engine.put(stream, someRecords(10));
    await engine.service.call("shredStream", { name: "clicks" });
    await expect(engine.readAll(stream)).rejects.toBeInstanceOf(KeyLostError);
    await start(engine);
    await engine.put(stream, someRecords(3, 100, 50));
    expect(await numbers(engine, stream)).toEqual(range(50, 53));
    await engine.service.close();
  });
});

describe("a key that vanished", () => {
  it("is an error of every put and read, never plain text, and a reported loss", async () => {
    const platform = virtualPlatform();
    const { engine, stream } = await encrypted(platform);
    const plain = await engine.createStream("plain");
    await engine.put(stream, someRecords(10));
    await engine.put(plain, someRecords(10));
    await engine.service.close();
    platform.vaults.keys("test").clear();
    const again = await TestEngine.open(platform.restart());
    await expect(again.readAll(stream)).rejects.toBeInstanceOf(KeyLostError);
    await expect(again.put(stream, marked("a secret", 1))).rejects.toBeInstanceOf(KeyLostError);
    expect(await diskContains(storeOf(platform), "a secret")).toBe(false);
    expect(await numbers(again, plain)).toEqual(range(0, 10));
    expect(await again.service.call("dataLoss", {})).toMatchObject([
      { kind: "key", recordCount: 10 },
    ]);
    await again.service.call("deleteStream", { name: "clicks" });
    await again.service.close();
  });
});
