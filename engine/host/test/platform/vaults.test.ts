/** What every vault promises, shown on real ones in Node (files, memory) and on the virtual one. */

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FrameExistsError } from "../../src/errors/index.ts";
import { memoryVault } from "../../src/platform/memory-vault.ts";
import { nodeVaults } from "../../src/platform/node-vault.ts";
import type { KeyVault } from "../../src/platform/platform.ts";
import { VirtualVaults } from "../../src/platform/virtual-vault.ts";
import { vaultContract } from "./vault-contract.ts";

const made: string[] = [];

async function newDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "millrace-vault-"));
  made.push(directory);
  return directory;
}

afterAll(async () => {
  for (const directory of made) await rm(directory, { recursive: true });
});

vaultContract("in memory", async () => {
  const vault = memoryVault();
  return { vault, reopen: undefined };
});

vaultContract("in files", async () => {
  const vaults = nodeVaults(await newDirectory());
  return {
    vault: await vaults.open("shop", "file"),
    reopen: (): Promise<KeyVault> => vaults.open("shop", "file"),
  };
});

vaultContract("of a virtual machine", async () => {
  const vaults = new VirtualVaults(7);
  return { vault: await vaults.open("shop"), reopen: () => vaults.open("shop") };
});

describe("a vault in files", () => {
  it("makes nothing before the first key", async () => {
    const directory = await newDirectory();
    const vault = await nodeVaults(directory).open("shop", "file");
    expect(await vault.keyIds()).toEqual([]);
    expect(await vault.cipher(1, new Uint8Array(16), "wal")).toBeUndefined();
    await vault.destroyKey(1);
    expect(await readdir(directory)).toEqual([]);
  });

  it("is its owner's alone, and holds no data key as it is", async () => {
    const directory = await newDirectory();
    const vault = await nodeVaults(directory).open("shop", "file");
    await vault.createKey(3);
    const keys = join(directory, "shop.keys");
    expect((await stat(keys)).mode & 0o777).toBe(0o700);
    const names = (await readdir(keys)).sort();
    expect(names).toEqual(["3.wrapped", "wrapping.key"]);
    for (const name of names) expect((await stat(join(keys, name))).mode & 0o777).toBe(0o600);
    // A wrapped key of 32 bytes is 40 long.
    expect((await readFile(join(keys, "3.wrapped"))).byteLength).toBe(40);
  });

  it("gives no cipher for a key that was changed, or whose key-encryption key is another", async () => {
    const directory = await newDirectory();
    const vault = await nodeVaults(directory).open("shop", "file");
    await vault.createKey(1);
    await vault.createKey(2);
    const keys = join(directory, "shop.keys");
    const wrapped = await readFile(join(keys, "1.wrapped"));
    wrapped[5] = (wrapped[5] ?? 0) ^ 1;
    await writeFile(join(keys, "1.wrapped"), wrapped);
    expect(await vault.cipher(1, new Uint8Array(16), "wal")).toBeUndefined();
    expect(await vault.cipher(2, new Uint8Array(16), "wal")).toBeDefined();
    await writeFile(join(keys, "wrapping.key"), new Uint8Array(32));
    expect(await vault.cipher(2, new Uint8Array(16), "wal")).toBeUndefined();
  });

  it("is in memory for an engine in memory", async () => {
    const directory = await newDirectory();
    const vault = await nodeVaults(directory).open("shop", "memory");
    await vault.createKey(1);
    expect(await readdir(directory)).toEqual([]);
  });
});

describe("the virtual vault", () => {
  it("throws when a vector is used twice with one key, salt and purpose, and not otherwise", async () => {
    const vaults = new VirtualVaults(1);
    const vault = await vaults.open("shop");
    await vault.createKey(1);
    await vault.createKey(2);
    const plain = new Uint8Array(10);
    const encrypt = async (
      key: number,
      salt: number,
      purpose: "wal" | "segment",
      counter: number,
    ) =>
      (await vault.cipher(key, new Uint8Array(16).fill(salt), purpose))?.encrypt(
        counter,
        plain,
        plain,
      );
    await encrypt(1, 1, "wal", 1);
    await encrypt(1, 1, "wal", 2);
    await encrypt(1, 1, "segment", 1);
    await encrypt(1, 2, "wal", 1);
    await encrypt(2, 1, "wal", 1);
    await expect(encrypt(1, 1, "wal", 1)).rejects.toThrow("used twice");
  });

  it("gives equal bytes for equal seeds", async () => {
    const sealed = async (seed: number): Promise<Uint8Array | undefined> => {
      const vault = await new VirtualVaults(seed).open("shop");
      await vault.createKey(1);
      const cipher = await vault.cipher(1, new Uint8Array(16), "wal");
      return await cipher?.encrypt(1, new Uint8Array(3), new Uint8Array(40));
    };
    expect(await sealed(5)).toEqual(await sealed(5));
    expect(await sealed(5)).not.toEqual(await sealed(6));
  });

  it("refuses a number that is taken", async () => {
    const vaults = new VirtualVaults(1);
    vaults.create("shop", 1);
    expect(() => vaults.create("shop", 1)).toThrow(FrameExistsError);
  });
});
