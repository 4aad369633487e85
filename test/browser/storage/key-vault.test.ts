/** The vault of the browser over its real IndexedDB: no database before the first key, and keys that scripts cannot read. */
import { assert } from "chai";
import { deleteDB, openDB } from "idb";
import { browserPlatform } from "../../../engine/host/src/platform/browser-platform.ts";
import { keyDatabaseName } from "../../../engine/host/src/platform/browser-vault.ts";
import type { KeyVault } from "../../../engine/host/src/platform/platform.ts";

const SALT = new Uint8Array(16).fill(3);
const ADDITIONAL = new Uint8Array([7, 8]);
const PLAIN = new TextEncoder().encode("plain text that nobody else reads");

async function open(engineName: string, storage?: "indexeddb" | "memory"): Promise<KeyVault> {
  const { vaults } = browserPlatform();
  if (vaults === undefined) throw new Error("the browser platform has no vaults");
  return await vaults.open(engineName, storage);
}

/** Names of the databases that there are. WebKit lists with version 0 those whose making was called off. */
async function databases(): Promise<(string | undefined)[]> {
  const listed = await indexedDB.databases();
  return listed.filter(({ version }) => version !== 0).map(({ name }) => name);
}

describe("the browser's key vault", () => {
  const made: string[] = [];
  const newName = (): string => {
    const name = `vault-${made.length}`;
    made.push(name);
    return name;
  };

  after(async () => {
    for (const name of made) await deleteDB(keyDatabaseName(name));
  });

  it("makes no database before the first key, whatever it is asked", async () => {
    const name = newName();
    const vault = await open(name);
    assert.deepEqual(await vault.keyIds(), []);
    assert.isUndefined(await vault.cipher(1, SALT, "wal"));
    await vault.destroyKey(1);
    assert.notInclude(await databases(), keyDatabaseName(name));
    await vault.createKey(1);
    assert.include(await databases(), keyDatabaseName(name));
    await vault.close();
  });

  it("decrypts after it was opened again what it encrypted before", async () => {
    const name = newName();
    const vault = await open(name);
    for (const dataKeyId of [1, 4_000_000_000]) await vault.createKey(dataKeyId);
    const sealed = await (await vault.cipher(1, SALT, "wal"))?.encrypt(9, ADDITIONAL, PLAIN);
    await vault.close();
    const again = await open(name);
    assert.deepEqual((await again.keyIds()).sort(), [1, 4_000_000_000]);
    const cipher = await again.cipher(1, SALT, "wal");
    assert.deepEqual(await cipher?.decrypt(9, ADDITIONAL, sealed ?? PLAIN), PLAIN);
    const others = [
      await again.cipher(4_000_000_000, SALT, "wal"),
      await again.cipher(1, SALT, "segment"),
      await again.cipher(1, new Uint8Array(16), "wal"),
    ];
    for (const other of others) {
      assert.isDefined(other);
      assert.isUndefined(await other.decrypt(9, ADDITIONAL, sealed ?? PLAIN));
    }
    assert.isUndefined(await cipher?.decrypt(8, ADDITIONAL, sealed ?? PLAIN));
    assert.isUndefined(await cipher?.decrypt(9, PLAIN, sealed ?? PLAIN));
    await again.close();
  });

  it("refuses a number that is taken, also between two that opened it", async () => {
    const name = newName();
    const [one, other] = [await open(name), await open(name)];
    await one.createKey(1);
    const outcomes = await Promise.allSettled([other.createKey(1), one.createKey(2)]);
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      ["rejected", "fulfilled"],
    );
    // Both wrap by the same key.
    await other.createKey(3);
    assert.isDefined(await one.cipher(3, SALT, "wal"));
    await one.close();
    await other.close();
  });

  it("has no cipher for a key that was destroyed", async () => {
    const name = newName();
    const vault = await open(name);
    await vault.createKey(1);
    await vault.destroyKey(1);
    assert.isUndefined(await vault.cipher(1, SALT, "wal"));
    await vault.close();
    assert.deepEqual(await (await open(name)).keyIds(), []);
  });

  it("keeps wrapped keys, under a key that no script can read", async () => {
    const name = newName();
    const vault = await open(name);
    await vault.createKey(1);
    await vault.close();
    const database = await openDB(keyDatabaseName(name));
    const wrapped: unknown = await database.get("keys", 1);
    assert.instanceOf(wrapped, Uint8Array);
    assert.equal((wrapped as Uint8Array).byteLength, 40);
    const wrapping: unknown = await database.get("wrapping", 1);
    assert.instanceOf(wrapping, CryptoKey);
    assert.isFalse((wrapping as CryptoKey).extractable);
    const exported = await crypto.subtle.exportKey("raw", wrapping as CryptoKey).then(
      () => "given away",
      (error: Error) => error.name,
    );
    assert.equal(exported, "InvalidAccessError");
    database.close();
  });

  it("is in memory for an engine in memory", async () => {
    const name = newName();
    const vault = await open(name, "memory");
    await vault.createKey(1);
    assert.isDefined(await vault.cipher(1, SALT, "wal"));
    assert.notInclude(await databases(), keyDatabaseName(name));
    await vault.close();
  });
});
