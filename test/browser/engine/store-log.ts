/**
 * Notes every transaction that this realm makes on IndexedDB and every request in it, from before the
 * first one on, and tells whoever asks by a message.
 */

/** One transaction with its requests in order. */
export interface NotedTransaction {
  readonly mode: IDBTransactionMode;
  readonly durability: IDBTransactionDurability;
  readonly stores: readonly string[];
  /** Names of the methods that made the requests, such as "add" or "get". */
  readonly requests: string[];
  /** Other transactions of the same database that could write and were not finished when this one began. */
  readonly unfinishedWrites: number;
}

/** Asks for what was noted since the last question, over a port that comes with it. */
export interface StoreLogQuestion {
  readonly storeLog: "tell";
}

/** Methods of stores and indexes that only read. */
export const READ_METHODS: ReadonlySet<string> = new Set([
  "get",
  "getKey",
  "getAll",
  "getAllKeys",
  "getAllRecords",
  "count",
  "openCursor",
  "openKeyCursor",
]);

const WRITE_METHODS = ["add", "put", "delete", "clear"];

let noted: NotedTransaction[] = [];
const byTransaction = new WeakMap<IDBTransaction, NotedTransaction>();
/** By name of the database. */
const unfinishedWrites = new Map<string, number>();

/** Puts `around` in the place of a method; it gets the method bound to its object. */
function wrap<Target extends object>(
  prototype: Target,
  name: string,
  around: (target: Target, call: () => unknown) => unknown,
): void {
  const original: unknown = Reflect.get(prototype, name);
  if (typeof original !== "function") return;
  Reflect.set(prototype, name, function (this: Target, ...values: unknown[]): unknown {
    return around(this, () => Reflect.apply(original, this, values));
  });
}

function noteRequest(transaction: IDBTransaction, method: string): void {
  byTransaction.get(transaction)?.requests.push(method);
}

/** Counts a transaction that can write until it has ended; returns how many others there were. */
function countWrite(transaction: IDBTransaction): number {
  const { name } = transaction.db;
  const others = unfinishedWrites.get(name) ?? 0;
  if (transaction.mode === "readonly") return others;
  unfinishedWrites.set(name, others + 1);
  for (const end of ["complete", "abort"]) {
    transaction.addEventListener(end, () => {
      unfinishedWrites.set(name, (unfinishedWrites.get(name) ?? 0) - 1);
    });
  }
  return others;
}

function isQuestion(data: unknown): data is StoreLogQuestion {
  return typeof data === "object" && data !== null && "storeLog" in data;
}

/** Begins to note, and to answer. */
export function noteStores(): void {
  wrap(IDBDatabase.prototype, "transaction", (_database, call) => {
    const transaction = call();
    if (!(transaction instanceof IDBTransaction)) throw new TypeError("this is no transaction");
    const { mode, durability, objectStoreNames } = transaction;
    const stores = [...objectStoreNames];
    const entry: NotedTransaction = {
      ...{ mode, durability, stores, requests: [] },
      unfinishedWrites: countWrite(transaction),
    };
    byTransaction.set(transaction, entry);
    noted.push(entry);
    return transaction;
  });
  for (const method of [...READ_METHODS, ...WRITE_METHODS]) {
    wrap(IDBObjectStore.prototype, method, (store, call) => {
      noteRequest(store.transaction, method);
      return call();
    });
    wrap(IDBIndex.prototype, method, (index, call) => {
      noteRequest(index.objectStore.transaction, method);
      return call();
    });
  }
  addEventListener("message", ({ data, ports }: MessageEvent<unknown>) => {
    if (!isQuestion(data)) return;
    ports[0]?.postMessage(noted);
    noted = [];
  });
}
