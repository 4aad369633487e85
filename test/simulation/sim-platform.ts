/** The surroundings of one simulated process: clock, randomness, locks, channels, store, keys, witness. */
import type { InProcessLocks } from "../../engine/host/src/platform/in-process-locks.ts";
import type {
  Channels,
  Cipher,
  Clock,
  HeldLock,
  KeyVault,
  Locks,
  Platform,
  Vaults,
  Witnesses,
} from "../../engine/host/src/platform/platform.ts";
import { SeededRandom } from "../../engine/host/src/platform/seeded-random.ts";
import type { Process } from "./scheduler.ts";
import { type DiskParts, SimStore } from "./sim-store.ts";
import type { Verdict } from "./violations.ts";

/** A wall clock that all processes share and that can be wrong. */
export interface WallClock {
  /** What it shows at virtual time 0, in ms since the Unix epoch. */
  offsetMs: number;
}

/** What a platform is made of. */
export interface PlatformParts extends DiskParts {
  readonly wall: WallClock;
  readonly locks: InProcessLocks;
  readonly vaults: Vaults;
  /** Files outside the disk, by name. */
  readonly witnesses: Map<string, Uint8Array>;
  /** Everything that was ever encrypted: key, salt, purpose, counter. */
  readonly vectors: Set<string>;
  readonly verdict: Verdict;
  /** Absent where engines are not shared. */
  readonly channels: Channels | undefined;
}

function simClock({ scheduler, wall }: PlatformParts, owner: Process): Clock {
  return {
    nowMs: () => Math.floor(scheduler.nowMs + wall.offsetMs),
    monotonicMs: () => scheduler.nowMs,
    after: (delayMs, callback) => scheduler.schedule(owner, "timer", { delayMs }, callback),
  };
}

/** Grants and thefts are news that arrive when the scheduler lets them. */
function simLocks({ scheduler, locks }: PlatformParts, owner: Process): Locks {
  const own = locks.of(owner.name);
  const arrive = (label: string): Promise<void> =>
    scheduler.pause(owner, label, { delayMs: scheduler.latencyMs() });
  const told = async (name: string, held: HeldLock): Promise<HeldLock> => {
    await arrive(`lock ${name}`);
    const stolen = held.stolen.then(() => arrive(`stolen ${name}`));
    return { release: () => held.release(), stolen };
  };
  return {
    tryAcquire: async (name) => {
      const held = await own.tryAcquire(name);
      if (held !== undefined) return await told(name, held);
      await arrive(`no lock ${name}`);
      return undefined;
    },
    acquire: async (name, wish) => await told(name, await own.acquire(name, wish)),
  };
}

/** Every use of a key is a task of its own. */
function simVaults({ scheduler, vaults, vectors, verdict }: PlatformParts, owner: Process): Vaults {
  const later = async <Result>(label: string, work: () => Promise<Result>): Promise<Result> => {
    const options = { delayMs: scheduler.latencyMs(0.2), line: `keys ${owner.name}` };
    await scheduler.pause(owner, label, options);
    return await work();
  };
  const slow = (cipher: Cipher, name: string): Cipher => ({
    encrypt: (counter, additional, plain) => {
      const vector = `${name}/${counter}`;
      if (vectors.has(vector)) verdict.report("vector", `${vector} encrypts a second time`);
      vectors.add(vector);
      return later(`encrypt ${counter}`, () => cipher.encrypt(counter, additional, plain));
    },
    decrypt: (counter, additional, sealed) =>
      later(`decrypt ${counter}`, () => cipher.decrypt(counter, additional, sealed)),
  });
  const slowVault = (vault: KeyVault): KeyVault => ({
    createKey: (id) => later(`create key ${id}`, () => vault.createKey(id)),
    keyIds: () => later("key ids", () => vault.keyIds()),
    cipher: (id, salt, purpose) =>
      later(`cipher ${id} ${purpose}`, async () => {
        const cipher = await vault.cipher(id, salt, purpose);
        const name = `${id}/${Array.from(salt).join(".")}/${purpose}`;
        return cipher === undefined ? undefined : slow(cipher, name);
      }),
    destroyKey: (id) => later(`destroy key ${id}`, () => vault.destroyKey(id)),
    close: () => vault.close(),
  });
  return { open: async (name) => slowVault(await vaults.open(name)) };
}

/** What files are called that a power cut takes away. */
export const UNFORCED = ".unforced";

function simWitnesses({ scheduler, witnesses }: PlatformParts, owner: Process): Witnesses {
  const arrive = (label: string): Promise<void> =>
    scheduler.pause(owner, label, {
      delayMs: scheduler.latencyMs(),
      line: `witness ${owner.name}`,
    });
  const read = async (name: string): Promise<Uint8Array | undefined> => {
    await arrive(`read ${name}`);
    return witnesses.get(name)?.slice();
  };
  const write = async (name: string, bytes: Uint8Array): Promise<void> => {
    const copy = bytes.slice();
    await arrive(`write ${name}`);
    witnesses.set(name, copy);
  };
  return {
    read: (name) => read(`${name}.witness`),
    write: (name, bytes) => write(`${name}.witness`, bytes),
    readUnforced: (name) => read(`${name}${UNFORCED}`),
    writeUnforced: (name, bytes) => write(`${name}${UNFORCED}`, bytes),
    readCopy: (name) => read(`${name}.copy`),
    writeCopy: (name, bytes) => write(`${name}.copy`, bytes),
  };
}

/** Makes the surroundings of a process. */
export function simPlatform(parts: PlatformParts, owner: Process): Platform {
  const { scheduler, channels } = parts;
  return {
    clock: simClock(parts, owner),
    random: new SeededRandom(scheduler.random.nextUint32()),
    locks: simLocks(parts, owner),
    stores: {
      open: async () => {
        await scheduler.pause(owner, "store opens", { delayMs: scheduler.latencyMs(2) });
        return new SimStore(parts, owner);
      },
    },
    vaults: simVaults(parts, owner),
    witnesses: simWitnesses(parts, owner),
    ...(channels === undefined ? {} : { channels }),
  };
}
