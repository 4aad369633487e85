/**
 * One connection to the database of a log, and its transactions.
 *
 * `idb` opens the database; transactions use the raw objects, because a commit must be one burst of
 * requests and `commit()`, and because the verdict that counts is the `complete` or `abort` event of
 * the transaction, with its own error.
 */
import { type IDBPDatabase, openDB, unwrap } from "idb";
import { OutcomeUnknownError, StorageUnavailableError } from "../errors/store-errors.ts";
import { IS_WEBKIT } from "./browser-kind.ts";
import { classifyStoreError, explainUnavailable } from "./indexeddb-errors.ts";
import type { Durability } from "./log-store.ts";

/** Schema version; formats are versioned inside the frames, so that this one never changes. */
const SCHEMA_VERSION = 1;

/** The object stores: frames under their number, segments under their key. */
export type ObjectStoreName = "wal" | "segments";
const OBJECT_STORES: readonly ObjectStoreName[] = ["wal", "segments"];

/** An open database. After the platform took it away, every call rejects with OutcomeUnknownError. */
export class IndexedDbConnection {
  readonly #database: IDBDatabase;
  readonly #onLost: (reason: string) => void;
  /** Rejections of the calls that wait for their transaction. */
  readonly #waiting = new Set<(error: unknown) => void>();
  /** Why the browser put an empty database in the place of the one that was there, if it says that it did. */
  readonly dataLoss: string | undefined;
  #lostReason: string | undefined;
  /** Whether a transaction waits for the end of the one before. */
  readonly #oneAtATime: boolean;
  /** Settles, never with an error, when all calls so far have; only kept where one waits for another. */
  #lastCall: Promise<unknown> = Promise.resolve();

  private constructor(
    database: IDBDatabase,
    dataLoss: string | undefined,
    onLost: (reason: string) => void,
    oneAtATime: boolean,
  ) {
    this.#database = database;
    this.#oneAtATime = oneAtATime;
    this.dataLoss = dataLoss;
    this.#onLost = onLost;
  }

  /**
   * Opens the database, and creates it when there is none. `onLost` is called at most once, when the
   * platform ends the connection or another context wants the database gone.
   *
   * `oneAtATime` is for WebKit: when a worker ends with two unfinished transactions of a connection, or one
   * that was committed before its requests were answered, it may keep one of them for as long as its process
   * lives, and whoever opens the database then waits for it.
   * @throws StorageUnavailableError when there is no IndexedDB, or it refuses.
   * @throws UnsupportedFormatError when a newer build upgraded the database.
   */
  static async open(
    databaseName: string,
    onLost: (reason: string) => void,
    oneAtATime: boolean = IS_WEBKIT,
  ): Promise<IndexedDbConnection> {
    if (typeof indexedDB === "undefined" || indexedDB === null) {
      throw new StorageUnavailableError("this platform has no IndexedDB", {
        argument: "storage",
        value: "indexeddb",
      });
    }
    let connection: IndexedDbConnection | undefined;
    let dataLoss: string | undefined;
    const database = await openUnblocked(
      databaseName,
      (event) => {
        dataLoss = dataLossOf(event);
      },
      (reason, ended) => {
        if (connection !== undefined) connection.#lose(reason, ended);
      },
    );
    connection = new IndexedDbConnection(database, dataLoss, onLost, oneAtATime);
    for (const storeName of OBJECT_STORES) {
      if (database.objectStoreNames.contains(storeName)) continue;
      database.close();
      throw new StorageUnavailableError(
        `IndexedDB database ${databaseName} is not a log: it has no object store "${storeName}"`,
        { argument: "name", value: databaseName },
      );
    }
    return connection;
  }

  /**
   * Runs the requests that `issue` makes as one transaction over one object store, commits it at
   * once where it may, and resolves on `complete` if no request failed. `issue` must make all its requests before it
   * returns.
   *
   * A failed request rejects with its own error: after `commit()` Firefox and WebKit abort the transaction
   * without naming it, or even complete it. What the other requests did may then stand.
   */
  write(
    what: string,
    storeName: ObjectStoreName,
    durability: Durability,
    issue: (objectStore: IDBObjectStore) => void,
  ): Promise<void> {
    return this.#settle(what, (resolve, reject) => {
      const transaction = this.#database.transaction(storeName, "readwrite", { durability });
      let failure: DOMException | undefined;
      transaction.onerror = ({ target }) => {
        const error = target instanceof IDBRequest ? target.error : null;
        // An abort ends every request that is left with an AbortError; the cause came before.
        if (error !== null && error.name !== "AbortError") failure ??= error;
      };
      transaction.oncomplete = () => (failure === undefined ? resolve() : reject(failure));
      transaction.onabort = () => reject(failure ?? transaction.error);
      try {
        issue(transaction.objectStore(storeName));
      } catch (error) {
        // Requests made before the failing one must not be committed on their own.
        transaction.abort();
        throw error;
      }
      if (!this.#oneAtATime) transaction.commit();
    });
  }

  /** Makes one request in a transaction of its own that reads, and resolves with its result. */
  read<Result>(
    what: string,
    storeName: ObjectStoreName,
    ask: (objectStore: IDBObjectStore) => IDBRequest<Result>,
  ): Promise<Result> {
    return this.#settle(what, (resolve, reject) => {
      const transaction = this.#database.transaction(storeName, "readonly");
      const request = ask(transaction.objectStore(storeName));
      if (this.#oneAtATime) transaction.oncomplete = () => resolve(request.result);
      else request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
      transaction.onabort = () => reject(transaction.error);
    });
  }

  /** Keys and values of a range in one transaction, ascending. */
  readRange(
    what: string,
    storeName: ObjectStoreName,
    range: IDBKeyRange,
  ): Promise<{ readonly key: IDBValidKey; readonly value: unknown }[]> {
    return this.#settle(what, (resolve, reject) => {
      const transaction = this.#database.transaction(storeName, "readonly");
      const objectStore = transaction.objectStore(storeName);
      const keys = objectStore.getAllKeys(range);
      const values = objectStore.getAll(range);
      transaction.oncomplete = () =>
        resolve(keys.result.map((key, i) => ({ key, value: values.result[i] as unknown })));
      transaction.onabort = () => reject(transaction.error);
      keys.onerror = () => reject(keys.error);
      values.onerror = () => reject(values.error);
    });
  }

  /** Closes the connection once its running transactions are through. No listener is called. */
  close(): void {
    this.#lostReason ??= "the store is closed";
    this.#database.close();
  }

  /** {@link #verdict}, once it is this call's turn. */
  #settle<Result>(
    what: string,
    start: (resolve: (result: Result) => void, reject: (error: unknown) => void) => void,
  ): Promise<Result> {
    if (!this.#oneAtATime) return this.#verdict(what, start);
    const call = this.#lastCall.then(() => this.#verdict(what, start));
    this.#lastCall = call.catch(() => undefined);
    return call;
  }

  /** Waits for one verdict, or for the end of the connection, and gives errors their class. */
  async #verdict<Result>(
    what: string,
    start: (resolve: (result: Result) => void, reject: (error: unknown) => void) => void,
  ): Promise<Result> {
    let giveUp: ((error: unknown) => void) | undefined;
    try {
      return await new Promise<Result>((resolve, reject) => {
        giveUp = reject;
        this.#waiting.add(reject);
        start(resolve, reject);
      });
    } catch (error) {
      if (error instanceof OutcomeUnknownError) throw error;
      throw classifyStoreError({ what, error, lostReason: this.#lostReason });
    } finally {
      if (giveUp !== undefined) this.#waiting.delete(giveUp);
    }
  }

  /**
   * Notes that the connection is gone. Transactions of a connection that `ended` get no more events;
   * those of one that merely closes run to their end and get their verdict.
   */
  #lose(reason: string, ended: boolean): void {
    if (ended) {
      for (const reject of this.#waiting) {
        reject(new OutcomeUnknownError(`the connection to IndexedDB was lost: ${reason}`));
      }
    }
    if (this.#lostReason !== undefined) return;
    this.#lostReason = reason;
    this.#database.close();
    this.#onLost(reason);
  }
}

/**
 * Why data is gone, if the event by which a database is created says so: Chromium replaces the whole
 * storage of an origin when it finds it corrupt, and tells it there only.
 */
export function dataLossOf(event: Event): string | undefined {
  if (Reflect.get(event, "dataLoss") !== "total") return undefined;
  const message: unknown = Reflect.get(event, "dataLossMessage");
  const detail = typeof message === "string" && message !== "" ? `: ${message}` : "";
  return `the browser found this origin's storage corrupt and began it anew, empty${detail}`;
}

/**
 * Opens the raw database. `created` gets the event when there was none; `lost` is told when it must go,
 * and whether its transactions died with it.
 */
async function openUnblocked(
  databaseName: string,
  created: (event: Event) => void,
  lost: (reason: string, ended: boolean) => void,
): Promise<IDBDatabase> {
  let refuse: (error: unknown) => void = () => undefined;
  const blocked = new Promise<never>((_resolve, reject) => {
    refuse = reject;
  });
  let opening: Promise<IDBPDatabase> | undefined;
  try {
    opening = openDB(databaseName, SCHEMA_VERSION, {
      upgrade(database, _oldVersion, _newVersion, _transaction, event) {
        created(event);
        for (const storeName of OBJECT_STORES) {
          // A log of an older schema has them.
          if (!database.objectStoreNames.contains(storeName)) database.createObjectStore(storeName);
        }
      },
      blocked() {
        refuse(new DOMException("another tab keeps an older schema open", "BlockedError"));
      },
      blocking(_currentVersion, blockedVersion) {
        const wish = blockedVersion === null ? "deletes the database" : "upgrades the database";
        lost(`another context ${wish}`, false);
      },
      terminated() {
        lost("the browser closed the database", true);
      },
    });
    return unwrap(await Promise.race([opening, blocked]));
  } catch (error) {
    // An opening that was only blocked may still succeed later; nobody would ever close it.
    opening?.then(
      (database) => database.close(),
      () => undefined,
    );
    throw explainUnavailable(databaseName, error);
  }
}
