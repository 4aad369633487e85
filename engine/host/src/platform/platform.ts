/**
 * Everything the engine takes from its surroundings. Nothing outside this folder reads a clock, draws
 * a random number, sets a timer, takes a lock or opens a store by itself, so that a seeded simulation
 * can stand in for the browser.
 */
import type { LogStore } from "../storage/log-store.ts";

/** Wall and monotonic time, and timers. */
export interface Clock {
  /** Wall time in milliseconds since the Unix epoch; may jump. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never runs backwards. */
  monotonicMs(): number;
  /** Runs `callback` once after `delayMs`. The timer does not keep a process alive. Returns its cancellation. */
  after(delayMs: number, callback: () => void): () => void;
}

/** Randomness. */
export interface Random {
  /** Fills and returns the array. */
  fill(bytes: Uint8Array): Uint8Array;
}

/** A lock that is held until it is released, stolen, or its holder dies. */
export interface HeldLock {
  release(): void;
  /** Resolves when another context stole the lock; pending for ever otherwise. */
  readonly stolen: Promise<void>;
}

/** How a lock is waited for. */
export interface LockWish {
  /** "exclusive" when absent. Any number may share a lock; a shared one waits until an exclusive one is free. */
  readonly mode?: "exclusive" | "shared";
  /** Takes the lock from whoever holds it, at once, past all who wait. Exclusive only. */
  readonly steal?: boolean;
  /** Leaves the line; the promise rejects with its reason. */
  readonly signal?: AbortSignal;
}

/** Named locks over all contexts of one origin. A lock whose holder died is free. */
export interface Locks {
  /** Takes the lock if nobody holds it; undefined when somebody does. */
  tryAcquire(name: string): Promise<HeldLock | undefined>;
  /** Waits in line for the lock, first come, first served. @throws StorageUnavailableError; the signal's reason. */
  acquire(name: string, wish?: LockWish): Promise<HeldLock>;
}

/** One end of a pair of entangled ports. Messages come in the order in which they were sent, or not at all. */
export interface Port {
  /** Sends a structured clone; what is in `transfer` is moved. Ports and buffers can be transferred. */
  post(message: unknown, transfer?: readonly (ArrayBuffer | Port)[]): void;
  /** Takes messages from now on, those that waited first. Called once. */
  listen(listener: (message: unknown) => void): void;
  close(): void;
}

/** A channel to all contexts of the origin that opened the same name; a sender does not hear itself. */
export interface Broadcast {
  /** Sends a structured clone; nothing can be transferred. May be lost when a context is about to end. */
  post(message: unknown): void;
  /** Called once, at once after opening. */
  listen(listener: (message: unknown) => void): void;
  close(): void;
}

/** How contexts of one origin reach each other. */
export interface Channels {
  /** Opens a broadcast channel. */
  broadcast(name: string): Broadcast;
  /** A new pair of entangled ports. */
  pair(): readonly [Port, Port];
  /**
   * The way to the port broker (protocol: `leader/broker-protocol.ts`); undefined where there is none.
   * The same port at every call.
   */
  broker(): Port | undefined;
}

/** The order of two copies: negative when the first one is to be left for the second. */
export type CompareCopies = (one: Uint8Array, other: Uint8Array) => number;

/** A small record outside the store that tells what the store must hold; see `log/witness.ts`. */
export interface Witnesses {
  /** What was written last; undefined when there is nothing. Never rejects: no witness is no testimony. */
  read(engineName: string): Promise<Uint8Array | undefined>;
  /** Replaces it, whole or not at all. */
  write(engineName: string, bytes: Uint8Array): Promise<void>;
  /**
   * What {@link Witnesses.writeUnforced} wrote last and the machine still has; undefined when that is nothing.
   * Both are absent where a platform has no file that it does not force to the disk.
   * @throws Error when it is there, or may be, and cannot be read.
   */
  readUnforced?(recordName: string): Promise<Uint8Array | undefined>;
  /** Writes a second record beside it that outlives the process, but as a rule no power cut soon afterwards. */
  writeUnforced?(recordName: string, bytes: Uint8Array): Promise<void>;
  /**
   * The copy of the control state that was written last, of any length (`log/control-copy.ts`); undefined when
   * there is none. Where several are kept, it is the greatest by `compare`, and of equal ones the last. Never
   * rejects. Absent, as is the next one, where there is no place for it.
   */
  readCopy?(engineName: string, compare?: CompareCopies): Promise<Uint8Array | undefined>;
  /** Replaces it, whole or not at all. */
  writeCopy?(engineName: string, bytes: Uint8Array): Promise<void>;
}

/** Encrypts and decrypts with one working key, which is derived from a data key and a salt. AES-256-GCM. */
export interface Cipher {
  /**
   * Ciphertext with its tag of 16 bytes, in a new buffer. The counter must never repeat for one salt and
   * purpose. All arguments are read before the call returns; `plain` may be memory that changes then.
   */
  encrypt(counter: number, additional: Uint8Array, plain: Uint8Array): Promise<Uint8Array>;
  /** Undefined when the tag does not fit: damaged, or of another place. */
  decrypt(
    counter: number,
    additional: Uint8Array,
    sealed: Uint8Array,
  ): Promise<Uint8Array | undefined>;
}

/** Where the data keys of one engine are, wrapped by a key that never leaves the platform. */
export interface KeyVault {
  /** Makes and keeps a new random data key. @throws StoreFailedError; FrameExistsError when the number is taken. */
  createKey(dataKeyId: number): Promise<void>;
  /** Numbers of the data keys that are there. */
  keyIds(): Promise<number[]>;
  /** A cipher of a data key; undefined when the key is not there or cannot be unwrapped. */
  cipher(
    dataKeyId: number,
    salt: Uint8Array,
    purpose: "wal" | "segment",
  ): Promise<Cipher | undefined>;
  /** Deletes a data key for ever; unknown ones are ignored. Durable when it resolves. */
  destroyKey(dataKeyId: number): Promise<void>;
  close(): Promise<void>;
}

/** Access to key vaults. */
export interface Vaults {
  /**
   * Opens (creates on first use of a key, not before) the vault of an engine. An engine in memory has one
   * in memory.
   */
  open(engineName: string, storage?: StorageKind): Promise<KeyVault>;
}

/** Kinds of store that an engine can ask for. */
export type StorageKind = "indexeddb" | "memory" | "file";

/** Access to the places where logs are kept. */
export interface Stores {
  /**
   * Opens (creates) the store of an engine; the most durable kind the platform has when `storage` is
   * absent.
   * @throws StorageUnavailableError when the platform has none or refuses.
   */
  open(engineName: string, storage?: StorageKind): Promise<LogStore>;
}

/** The surroundings of one engine. */
export interface Platform {
  readonly clock: Clock;
  readonly random: Random;
  readonly locks: Locks;
  readonly stores: Stores;
  /** Absent where an engine is not shared between contexts: whoever comes second is refused then. */
  readonly channels?: Channels;
  /** Absent where nothing outlives the store. */
  readonly witnesses?: Witnesses;
  /** Absent where there is no cryptography; encryption is then refused. */
  readonly vaults?: Vaults;
}
