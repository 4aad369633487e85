/**
 * The vault of the browser: a database of its own per engine, with a key-encryption key that scripts can
 * use and not read. The database is made with the first key; looking for keys makes none.
 *
 * What this protects is a copy of the log: the browser keeps both databases in one profile, and decides
 * by itself how it stores the key-encryption key there.
 */
import { type IDBPDatabase, openDB } from "idb";
import { FrameExistsError, StoreFailedError } from "../errors/store-errors.ts";
import { memoryVault } from "./memory-vault.ts";
import type { Vaults } from "./platform.ts";
import { type KeyShelf, WRAPPING, WRAPPING_USAGES, WrappedKeyVault } from "./wrapped-keys.ts";

/** Object stores: the one key-encryption key, and wrapped data keys under their numbers. */
const WRAPPING_STORE = "wrapping";
const KEY_STORE = "keys";
const WRAPPING_ID = 1;

/** Name of the database with the keys of an engine. */
export function keyDatabaseName(engineName: string): string {
  return `millrace-keys:${engineName}`;
}

function failed(what: string, cause: unknown): StoreFailedError {
  return new StoreFailedError(
    `the key database failed (${what}): ${cause instanceof Error ? cause.message : String(cause)}`,
    { cause },
  );
}

class DatabaseShelf implements KeyShelf {
  readonly #name: string;
  /** The one look, or the one making, that all share; what a look finds may be nothing. */
  #database: Promise<IDBPDatabase | undefined> | undefined;
  /** It never changes, and every working key needs it. */
  #wrapping: CryptoKey | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  async keyEncryptionKey(create: boolean): Promise<CryptoKey | undefined> {
    this.#wrapping ??= await this.#storedKey();
    if (this.#wrapping !== undefined || !create) return this.#wrapping;
    // Made before the transaction: one that waits for anything else would end by itself.
    const made = await crypto.subtle.generateKey(WRAPPING, false, [...WRAPPING_USAGES]);
    await this.#write(WRAPPING_STORE, "making the key-encryption key", async (store) => {
      // Whoever was first has wrapped keys by it already.
      if ((await store.get(WRAPPING_ID)) === undefined) await store.put(made, WRAPPING_ID);
    });
    this.#wrapping = await this.#storedKey();
    return this.#wrapping;
  }

  async add(dataKeyId: number, wrapped: Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#write(KEY_STORE, `adding key ${dataKeyId}`, async (store) => {
      if ((await store.getKey(dataKeyId)) !== undefined) {
        throw new FrameExistsError(`data key ${dataKeyId} exists`, { value: dataKeyId });
      }
      await store.put(wrapped, dataKeyId);
    });
  }

  async get(dataKeyId: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const value: unknown = await this.#read(KEY_STORE, dataKeyId);
    return value instanceof Uint8Array ? (value as Uint8Array<ArrayBuffer>) : undefined;
  }

  async ids(): Promise<number[]> {
    const database = await this.#existing();
    try {
      const keys = (await database?.getAllKeys(KEY_STORE)) ?? [];
      return keys.filter((key) => typeof key === "number");
    } catch (error) {
      throw failed("listing the keys", error);
    }
  }

  async delete(dataKeyId: number): Promise<void> {
    if ((await this.#existing()) === undefined) return;
    await this.#write(KEY_STORE, `deleting key ${dataKeyId}`, async (store) => {
      await store.delete(dataKeyId);
    });
  }

  async close(): Promise<void> {
    const database = await this.#database?.catch(() => undefined);
    database?.close();
    this.#database = undefined;
  }

  async #storedKey(): Promise<CryptoKey | undefined> {
    const value: unknown = await this.#read(WRAPPING_STORE, WRAPPING_ID);
    return value instanceof CryptoKey ? value : undefined;
  }

  async #read(storeName: string, key: number): Promise<unknown> {
    const database = await this.#existing();
    try {
      return await database?.get(storeName, key);
    } catch (error) {
      throw failed(`reading from ${storeName}`, error);
    }
  }

  async #write(
    storeName: string,
    what: string,
    work: (store: {
      get(key: number): Promise<unknown>;
      getKey(key: number): Promise<unknown>;
      put(value: unknown, key: number): Promise<unknown>;
      delete(key: number): Promise<void>;
    }) => Promise<void>,
  ): Promise<void> {
    try {
      const database = await this.#made();
      const options = { durability: "strict" } as const;
      const transaction = database.transaction(storeName, "readwrite", options);
      const done = transaction.done;
      try {
        await work(transaction.store);
      } catch (error) {
        // A refusal of our own leaves nothing to commit; an aborted transaction has ended already.
        if (error instanceof FrameExistsError) transaction.abort();
        await done.catch(() => undefined);
        throw error;
      }
      await done;
    } catch (error) {
      throw error instanceof FrameExistsError ? error : failed(what, error);
    }
  }

  /** The database, if it was ever made. */
  async #existing(): Promise<IDBPDatabase | undefined> {
    this.#database ??= this.#look();
    return await this.#database;
  }

  #look(): Promise<IDBPDatabase | undefined> {
    let absent = false;
    const look: Promise<IDBPDatabase | undefined> = this.#open((transaction) => {
      absent = true;
      transaction.abort();
    }).catch((error: unknown) => {
      this.#forget(look);
      if (absent) return undefined;
      throw failed("opening it", error);
    });
    return look;
  }

  /** The database, made if it is not there. */
  async #made(): Promise<IDBPDatabase> {
    for (;;) {
      const existing = await this.#existing();
      if (existing !== undefined) return existing;
      // Unless somebody else makes it, or looks again, by now.
      this.#database ??= this.#make();
    }
  }

  #make(): Promise<IDBPDatabase> {
    const making: Promise<IDBPDatabase> = this.#open(() => undefined).catch((error: unknown) => {
      this.#forget(making);
      throw error;
    });
    return making;
  }

  #forget(database: Promise<IDBPDatabase | undefined>): void {
    if (this.#database === database) this.#database = undefined;
  }

  #open(made: (transaction: { abort(): void }) => void): Promise<IDBPDatabase> {
    const forget = (): void => {
      this.#database = undefined;
    };
    return openDB(this.#name, 1, {
      upgrade(database, _from, _to, transaction) {
        database.createObjectStore(WRAPPING_STORE);
        database.createObjectStore(KEY_STORE);
        // The promise of a transaction that is aborted on purpose is nobody's.
        transaction.done.catch(() => undefined);
        made(transaction);
      },
      blocking(_current, _blocked, event) {
        if (event.target instanceof IDBDatabase) event.target.close();
        forget();
      },
      terminated: forget,
    });
  }
}

/** Vaults in IndexedDB; those of engines in memory are in memory. */
export const browserVaults: Vaults = {
  async open(engineName, storage = "indexeddb") {
    if (storage === "memory") return memoryVault();
    return new WrappedKeyVault(new DatabaseShelf(keyDatabaseName(engineName)));
  },
};
