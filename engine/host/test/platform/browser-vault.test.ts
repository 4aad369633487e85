/** The vault of the browser over IndexedDB: calls that come at once, while there is no database yet or any more. */
import "fake-indexeddb/auto";
import { beforeEach, expect, it } from "vitest";
import { browserVaults, keyDatabaseName } from "../../src/platform/browser-vault.ts";
import type { VirtualPlatform } from "../../src/platform/virtual-platform.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { start } from "../support/encrypted-engines.ts";
import { someRecords, TestEngine } from "../support/engines.ts";

const SALT = new Uint8Array(16);

async function deleteKeys(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase(keyDatabaseName("test"));
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
  });
}

/** An engine that keeps its keys in IndexedDB, with two streams. */
async function open(machine: VirtualPlatform): Promise<TestEngine> {
  return await TestEngine.open({ ...machine, vaults: browserVaults } as VirtualPlatform);
}

beforeEach(deleteKeys);

it("answers two who ask at once before there is a database", async () => {
  const vault = await browserVaults.open("test");
  expect(await Promise.all([vault.keyIds(), vault.keyIds()])).toEqual([[], []]);
  const ciphers = [1, 2].map((dataKeyId) => vault.cipher(dataKeyId, SALT, "wal"));
  expect(await Promise.all(ciphers)).toEqual([undefined, undefined]);
  await Promise.all([vault.createKey(1), vault.createKey(2)]);
  expect(await vault.keyIds()).toEqual([1, 2]);
  await vault.close();
});

it("two streams are encrypted at once, and their engine opens when all keys are gone", async () => {
  const machine = virtualPlatform();
  const engine = await open(machine);
  const streams = [await engine.createStream("one"), await engine.createStream("two")];
  await engine.service.call("keysCreate", { alias: "alias/shop", policy: null });
  await Promise.all(streams.map(({ name }) => start(engine, "alias/shop", name)));
  for (const stream of streams) await engine.put(stream, someRecords(3));
  await engine.service.close();
  await deleteKeys();
  const later = await open(machine);
  const losses = await later.service.call("dataLoss", {});
  expect(new Set(losses.map(({ kind }) => kind))).toEqual(new Set(["key"]));
  await later.service.close();
});
