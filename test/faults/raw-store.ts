/**
 * What IndexedDB itself holds of an engine's log, read without the engine: which values there are, and the
 * records in them. It tells what a damage left whole, and so what the engine must still serve.
 */
import {
  FRAME_DATA_LENGTH,
  FRAME_HEADER_BYTES,
  FRAME_KEY_LENGTH,
  FRAME_LENGTH,
  RUN_HEADER_BYTES,
  SECTION_HEADER_BYTES,
  SECTION_RECORDS,
  SEGMENT_HEADER_BYTES,
  SEGMENT_MAGIC,
  WAL_HEADER_BYTES,
} from "@millrace/core/layout";
import { checksumOf, numberOf } from "./numbered-record.ts";

/** Name of an object store of a log. */
export type RawStoreName = "wal" | "segments";

/** A value with what it holds. */
export interface RawValue {
  readonly store: RawStoreName;
  readonly key: number | number[];
  /** Of all its bytes; undefined when the browser has the key and does not give the value. */
  readonly checksum: number | undefined;
  /** Numbers of the whole records in it, in their order. */
  readonly numbers: readonly number[];
}

/** What one reading of the database found. */
export interface RawInventory {
  /** Whether there is a database with both object stores. */
  readonly exists: boolean;
  readonly values: readonly RawValue[];
  /** What the browser raised, each text once. */
  readonly errors: readonly string[];
}

/** Keys that are asked for one by one where the browser does not list them. */
export type KnownKeys = Readonly<Record<RawStoreName, readonly (number | number[])[]>>;

const ATTEMPTS = 2;

/** Numbers of the whole records among record frames that lie back to back. */
function recordNumbers(frames: Uint8Array): number[] {
  const view = new DataView(frames.buffer, frames.byteOffset, frames.byteLength);
  const numbers: number[] = [];
  for (let at = 0; at + FRAME_HEADER_BYTES <= frames.byteLength; ) {
    const length = view.getUint32(at + FRAME_LENGTH, true);
    if (length < FRAME_HEADER_BYTES || at + length > frames.byteLength) break;
    const start = at + FRAME_HEADER_BYTES + view.getUint16(at + FRAME_KEY_LENGTH, true);
    const data = frames.subarray(start, start + view.getUint32(at + FRAME_DATA_LENGTH, true));
    const number = numberOf(data);
    if (number !== undefined) numbers.push(number);
    at += length;
  }
  return numbers;
}

/** Numbers of the records of one section of a WAL frame. */
function sectionNumbers(payload: Uint8Array): number[] {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const numbers: number[] = [];
  for (let at = 0; at + RUN_HEADER_BYTES <= payload.byteLength; ) {
    const start = at + RUN_HEADER_BYTES;
    const end = start + view.getUint32(at + 24, true);
    numbers.push(...recordNumbers(payload.subarray(start, end)));
    at = end;
  }
  return numbers;
}

/** Numbers of the whole records in a stored value; none in one whose headers make no sense. */
function numbersIn(bytes: Uint8Array): number[] {
  if (bytes.byteLength < WAL_HEADER_BYTES) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) === SEGMENT_MAGIC) {
    return recordNumbers(bytes.subarray(SEGMENT_HEADER_BYTES));
  }
  const numbers: number[] = [];
  for (let at = WAL_HEADER_BYTES; at + SECTION_HEADER_BYTES <= bytes.byteLength; ) {
    const length = Number(view.getBigUint64(at + 16, true));
    const start = at + SECTION_HEADER_BYTES;
    const payload = bytes.subarray(start, start + length);
    if (view.getUint16(at, true) === SECTION_RECORDS) numbers.push(...sectionNumbers(payload));
    at = start + Math.ceil(length / 8) * 8;
  }
  return numbers;
}

function settled<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** A database that is opened anew after every error: the browser may have ended the connection. */
class RawDatabase {
  readonly #name: string;
  #database: IDBDatabase | undefined;
  readonly errors = new Set<string>();

  constructor(name: string) {
    this.#name = name;
  }

  /** Whether the database is there with both object stores. */
  async exists(): Promise<boolean> {
    const database = await this.#open();
    return database.objectStoreNames.contains("wal");
  }

  /** The result of a request; undefined when it fails again and again. */
  async ask<Result>(
    store: RawStoreName,
    request: (objectStore: IDBObjectStore) => IDBRequest<Result>,
  ): Promise<Result | undefined> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      try {
        const database = await this.#open();
        return await settled(request(database.transaction(store).objectStore(store)));
      } catch (error) {
        this.note(error);
        this.close();
      }
    }
    return undefined;
  }

  note(error: unknown): void {
    this.errors.add(String(error));
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }

  async #open(): Promise<IDBDatabase> {
    this.#database ??= await settled(indexedDB.open(this.#name));
    return this.#database;
  }
}

async function bytesOf(database: RawDatabase, value: unknown): Promise<Uint8Array | undefined> {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (!(value instanceof Blob)) return undefined;
  try {
    return new Uint8Array(await value.arrayBuffer());
  } catch (error) {
    database.note(error);
    return undefined;
  }
}

/** Reads every value of an engine's database by itself. */
export async function readInventory(engine: string, known: KnownKeys): Promise<RawInventory> {
  const database = new RawDatabase(`millrace:${engine}`);
  const values: RawValue[] = [];
  const exists = await database.exists();
  for (const store of exists ? (["wal", "segments"] as const) : []) {
    const listed = await database.ask(store, (objectStore) => objectStore.getAllKeys());
    for (const key of (listed as (number | number[])[] | undefined) ?? known[store]) {
      const value: unknown = await database.ask(store, (objectStore) => objectStore.get(key));
      const bytes = await bytesOf(database, value);
      // Without a list of keys nobody knows which of them there were.
      if (bytes === undefined && listed === undefined) continue;
      const checksum = bytes === undefined ? undefined : checksumOf(bytes);
      values.push({ store, key, checksum, numbers: bytes === undefined ? [] : numbersIn(bytes) });
    }
  }
  database.close();
  return { exists, values, errors: [...database.errors] };
}
