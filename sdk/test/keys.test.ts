/** Keys and encryption through the SDK, over engines in memory and over files. */

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  InvalidArgumentError,
  KeyLostError,
  KmsDisabledError,
  KmsNotFoundError,
  type Millrace,
  open,
  type Stream,
} from "millrace";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const text = (data: Uint8Array): string => new TextDecoder().decode(data);

async function textsOf(stream: Stream): Promise<string[]> {
  const texts: string[] = [];
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    texts.push(text(record.data));
  }
  return texts;
}

describe("keys of an engine in memory", () => {
  let millrace: Millrace;
  let stream: Stream;

  beforeEach(async () => {
    millrace = await open({ name: `keys-${Math.random()}`, storage: "memory" });
    stream = await millrace.streams.create("clicks", { shards: 2 });
  });

  afterEach(() => millrace.close());

  it("are made, listed, described, disabled and enabled", async () => {
    const policy = {
      Statement: [{ Effect: "Allow", Principal: "*", Action: "kms:*", Resource: "*" }],
    };
    const { keyId } = await millrace.keys.create({ alias: "alias/shop", policy });
    expect((await millrace.keys.list()).map(({ alias }) => alias)).toEqual([
      "alias/aws/kinesis",
      "alias/shop",
    ]);
    await stream.startEncryption({ keyId: "alias/shop" });
    expect(stream.description.encryption).toMatchObject({ masterKeyId: keyId, shredded: false });
    await millrace.keys.disable(keyId);
    await expect(stream.putRecord({ partitionKey: "a", data: "1" })).rejects.toBeInstanceOf(
      KmsDisabledError,
    );
    await millrace.keys.enable(keyId);
    await stream.putRecord({ partitionKey: "a", data: "2" });
    expect(await millrace.keys.rotate(keyId)).toBe(1);
    await millrace.keys.setPolicy(keyId, null);
    expect(await millrace.keys.describe(keyId)).toMatchObject({
      policy: null,
      streams: ["clicks"],
    });
    expect((await stream.stopEncryption()).encryption).toBeNull();
    expect(await textsOf(stream)).toEqual(["2"]);
  });

  it("are refused when they are none, or not there", async () => {
    await expect(stream.startEncryption({ keyId: "" })).rejects.toBeInstanceOf(
      InvalidArgumentError,
    );
    await expect(stream.startEncryption({ keyId: "alias/none" })).rejects.toBeInstanceOf(
      KmsNotFoundError,
    );
    await expect(millrace.keys.describe("alias/none")).rejects.toBeInstanceOf(KmsNotFoundError);
    await expect(stream.shred()).rejects.toBeInstanceOf(InvalidArgumentError);
  });

  it("take their streams along", async () => {
    const { keyId } = await millrace.keys.create();
    await stream.startEncryption({ keyId });
    await stream.putRecord({ partitionKey: "a", data: "1" });
    expect(await millrace.keys.destroy(keyId)).toBe(1);
    await expect(textsOf(stream)).rejects.toBeInstanceOf(KeyLostError);
    await stream.startEncryption({ keyId: "alias/aws/kinesis" });
    await stream.putRecord({ partitionKey: "a", data: "2" });
    expect(await textsOf(stream)).toEqual(["2"]);
    await stream.shred();
    await expect(textsOf(stream)).rejects.toBeInstanceOf(KeyLostError);
  });
});

describe("an encrypted stream over files", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "millrace-keys-"));
  });

  afterEach(() => rm(directory, { recursive: true }));

  /** Whether any file holds a text. */
  async function isOnDisk(wanted: string): Promise<boolean> {
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const bytes = await readFile(join(entry.parentPath, entry.name));
      if (bytes.includes(wanted)) return true;
    }
    return false;
  }

  it("leaves its records on the disk in no readable form, and others' as they are", async () => {
    const opened = (): Promise<Millrace> => open({ name: "shop", storage: "file", directory });
    const first = await opened();
    const secret = await first.streams.create("secret");
    const plain = await first.streams.create("plain");
    await secret.startEncryption({ keyId: "alias/aws/kinesis" });
    await Promise.all([
      secret.putRecord({ partitionKey: "the secret's key", data: "the secret's data" }),
      plain.putRecord({ partitionKey: "a key", data: "what everybody may know" }),
    ]);
    await first.close();
    const found = ["the secret's key", "the secret's data", "what everybody may know"].map(
      isOnDisk,
    );
    expect(await Promise.all(found)).toEqual([false, false, true]);
    const second = await opened();
    const reopened = await second.streams.get("secret");
    expect(await textsOf(reopened)).toEqual(["the secret's data"]);
    await reopened.shred();
    await expect(textsOf(reopened)).rejects.toBeInstanceOf(KeyLostError);
    expect(await textsOf(await second.streams.get("plain"))).toEqual(["what everybody may know"]);
    await second.close();
    expect(await readdir(join(directory, "shop.keys"))).toEqual(["wrapping.key"]);
  });
});
