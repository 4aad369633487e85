/** Master keys and encrypted streams through a whole engine: who may, what is refused, what shredding leaves. */
import { describe, expect, it, vi } from "vitest";
import { ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import {
  InvalidArgumentError,
  KmsAccessDeniedError,
  KmsDisabledError,
  KmsNotFoundError,
  ResourceInUseError,
} from "../../src/errors/index.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import type { StreamDescription } from "../../src/service/engine-service.ts";
import { buildBatch } from "../support/batches.ts";
import {
  encrypted,
  invoke,
  numbers,
  putAs,
  range,
  readAs,
  STRANGER,
  start,
  stop,
  storeOf,
} from "../support/encrypted-engines.ts";
import { someRecords, TestEngine } from "../support/engines.ts";
import { diskContains, marked } from "../support/secrets.ts";

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
    await expect(stop(engine, "alias/none")).rejects.toBeInstanceOf(InvalidArgumentError);
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
    const arn = `arn:aws:kms:us-east-1:000000000000:key/${keyId}`;
    for (const text of [keyId, arn, "alias/shop"]) {
      expect(await engine.service.call("keysDestroy", { keyId: text }, true)).toEqual({
        streams: 0,
      });
    }
    const unknown = "12345678-1234-1234-1234-123456789012";
    await expect(
      engine.service.call("keysDestroy", { keyId: unknown }, true),
    ).rejects.toBeInstanceOf(KmsNotFoundError);
    await engine.service.close();
  });
});
