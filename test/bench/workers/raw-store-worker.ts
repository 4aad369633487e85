/** Writes values into IndexedDB with nothing around it: what a browser gives to a log at best. */

/** Values of `valueBytes`, one strict transaction each, until so many bytes or so much time is spent. */
export interface RawWriteRequest {
  readonly valueBytes: number;
  readonly bytesMax: number;
  readonly elapsedMsMax: number;
}

/** What was written in what time. */
export interface RawWriteAnswer {
  readonly bytes: number;
  readonly elapsedMs: number;
}

const DATABASE = "bench-raw-store";
const STORE = "values";
/** Different values in turn; more of them would only cost memory. */
const VALUES = 32;
const RANDOM_BYTES_MAX = 65_536;

function settled<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return settled(request);
}

function randomValue(byteLength: number): ArrayBuffer {
  const bytes = new Uint8Array(byteLength);
  for (let at = 0; at < byteLength; at += RANDOM_BYTES_MAX) {
    crypto.getRandomValues(bytes.subarray(at, at + RANDOM_BYTES_MAX));
  }
  return bytes.buffer;
}

function writeStrictly(database: IDBDatabase, key: number, value: ArrayBuffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(STORE, "readwrite", { durability: "strict" });
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    transaction.objectStore(STORE).add(value, key);
    transaction.commit();
  });
}

async function write(request: RawWriteRequest): Promise<RawWriteAnswer> {
  const values = Array.from({ length: VALUES }, () => randomValue(request.valueBytes));
  const database = await open();
  const start = performance.now();
  let bytes = 0;
  let elapsedMs = 0;
  for (let key = 1; bytes < request.bytesMax && elapsedMs < request.elapsedMsMax; key++) {
    const value = values[key % VALUES];
    if (value === undefined) throw new RangeError("there are no values");
    await writeStrictly(database, key, value);
    bytes += request.valueBytes;
    elapsedMs = performance.now() - start;
  }
  database.close();
  await settled(indexedDB.deleteDatabase(DATABASE));
  return { bytes, elapsedMs };
}

addEventListener("message", ({ data }: MessageEvent<RawWriteRequest>) => {
  // A rejection becomes an error event of the worker, which the page waits for as well.
  write(data).then(
    (answer) => postMessage(answer),
    (error: unknown) => reportError(error),
  );
});
