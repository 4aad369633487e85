/** StartStreamEncryption and StopStreamEncryption over a real core and log: what they check, and in which order. */
import { describe, expect, it } from "vitest";
import { framePrincipal } from "../../../src/access/principals.ts";
import {
  AccessDeniedError,
  InvalidArgumentError,
  KmsNotFoundError,
  NotSupportedError,
  ResourceInUseError,
  ResourceNotFoundError,
} from "../../../src/errors/index.ts";
import type { KeyVault } from "../../../src/platform/platform.ts";
import { virtualPlatform } from "../../../src/platform/virtual-platform.ts";
import { EngineKeys } from "../../../src/service/engine-keys.ts";
import { encryptionOperations } from "../../../src/service/operations/encryption.ts";
import { openContext, type TestContext } from "../../support/operations.ts";

const UUID = "12345678-1234-1234-1234-123456789012";
const ARN = "arn:aws:kms:us-east-1:123456789012:";
const STRANGER = framePrincipal("https://shop.example");
const OPERATIONS = ["StartStreamEncryption", "StopStreamEncryption"] as const;

const inputOf = (KeyId: string, StreamName = "clicks") => ({
  StreamName,
  EncryptionType: "KMS" as const,
  KeyId,
});

async function opened(transitionMs = 0): Promise<TestContext> {
  const test = await openContext({ transitionMs });
  const spec = { name: "clicks", shards: 1, retentionHours: 24, recordKibMax: 1024 };
  await test.context.catalogue.create(spec);
  await test.advance(transitionMs);
  return test;
}

for (const operation of OPERATIONS) {
  describe(operation, () => {
    const call = (test: TestContext, KeyId: string, StreamName?: string, principal?: string) =>
      test.invoke(encryptionOperations, operation, inputOf(KeyId, StreamName), principal);

    it("looks for a key under every name that keys can have", async () => {
      const test = await opened();
      const keys = [UUID, `mrk-${"0123456789abcdef".repeat(2)}`, "alias/MyAliasName"];
      for (const KeyId of [...keys, `${ARN}key/${UUID}`, `${ARN}alias/MyAliasName`]) {
        await expect(call(test, KeyId)).rejects.toBeInstanceOf(
          operation === "StartStreamEncryption" ? KmsNotFoundError : InvalidArgumentError,
        );
      }
      for (const KeyId of ["alias/aws/kinesis", `${ARN}alias/aws/kinesis`]) await call(test, KeyId);
    });

    it("refuses names that no key can have", async () => {
      const test = await opened();
      const short = `arn:aws:kms:us-east-1:12:key/${UUID}`;
      for (const KeyId of ["key", `${UUID}0`, "alias/", "aliases/a", short]) {
        await expect(call(test, KeyId)).rejects.toMatchObject({
          name: InvalidArgumentError.name,
          argument: "KeyId",
        });
      }
    });

    it("refuses another type, stream, caller and state", async () => {
      const test = await opened(100);
      const none = { ...inputOf(UUID), EncryptionType: "NONE" as const };
      await expect(test.invoke(encryptionOperations, operation, none)).rejects.toBeInstanceOf(
        InvalidArgumentError,
      );
      await expect(call(test, UUID, "nothing")).rejects.toBeInstanceOf(ResourceNotFoundError);
      await expect(call(test, UUID, "clicks", STRANGER)).rejects.toBeInstanceOf(AccessDeniedError);
      const { catalogue } = test.context;
      const { uid } = catalogue.get("clicks");
      await catalogue.change(() => catalogue.transitions.beginning(uid, "UPDATING"));
      await expect(call(test, "alias/aws/kinesis")).rejects.toBeInstanceOf(ResourceInUseError);
    });
  });
}

describe("starting encryption", () => {
  const start = (test: TestContext) =>
    test.invoke(encryptionOperations, "StartStreamEncryption", inputOf("alias/aws/kinesis"));

  it("is not supported where there is no place for keys", async () => {
    const test = await opened();
    const { log, clock, random, catalogue } = test.context;
    const parts = { log, clock, random, catalogue, recoverable: true };
    const keys = new EngineKeys({ ...parts, vault: undefined });
    Object.assign(test.context, { keys });
    await expect(start(test)).rejects.toBeInstanceOf(NotSupportedError);
  });

  it("discards the data key when the stream was deleted while it was made", async () => {
    const platform = virtualPlatform();
    const test = await openContext({ platform });
    const spec = { name: "clicks", shards: 1, retentionHours: 24, recordKibMax: 1024 };
    await test.context.catalogue.create(spec);
    const started = start(test);
    await test.context.catalogue.delete("clicks");
    await expect(started).rejects.toBeInstanceOf(ResourceNotFoundError);
    expect(platform.vaults.has("test")).toBe(false);
  });

  it("keeps the data key when nobody knows what became of the commit", async () => {
    const platform = virtualPlatform();
    const test = await openContext({ platform });
    const spec = { name: "clicks", shards: 1, retentionHours: 24, recordKibMax: 1024 };
    await test.context.catalogue.create(spec);
    platform.stores.faults.add({ kind: "abort", nth: 1, operations: ["appendFrame"] });
    await expect(start(test)).rejects.toThrow();
    expect(platform.vaults.has("test")).toBe(true);
    // The next one gets a number of its own.
    await start(test);
    expect([...platform.vaults.keys("test").keys()]).toEqual([1, 2]);
  });

  it("goes on with the next number when somebody took one meanwhile", async () => {
    const platform = virtualPlatform();
    const test = await openContext({ platform });
    const spec = { name: "clicks", shards: 1, retentionHours: 24, recordKibMax: 1024 };
    await test.context.catalogue.create(spec);
    const vault: KeyVault = await platform.vaults.open("test");
    const started = start(test);
    await vault.createKey(1);
    await started;
    expect([...platform.vaults.keys("test").keys()].sort()).toEqual([1, 2]);
  });
});
