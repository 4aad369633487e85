/** Surroundings without a machine: time by hand, seeded randomness, disks that survive a crash. */
import { FaultPlan } from "../storage/fault-plan.ts";
import { MemoryDisk } from "../storage/memory-disk.ts";
import { MemoryLogStore } from "../storage/memory-store.ts";
import { InProcessLocks } from "./in-process-locks.ts";
import type { Platform, StorageKind, Stores } from "./platform.ts";
import { SeededRandom } from "./seeded-random.ts";
import { type Deliver, VirtualNetwork } from "./virtual-channels.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { type VirtualContext, virtualContext } from "./virtual-context.ts";
import { VirtualVaults } from "./virtual-vault.ts";
import { VirtualWitnesses } from "./virtual-witness.ts";

/** How a virtual platform starts. */
export interface VirtualPlatformOptions {
  /** Seed of its randomness; 1 when absent. */
  readonly seed?: number;
  /** Wall time in ms since the Unix epoch; 2026-01-01 when absent. */
  readonly startMs?: number;
  /** Whether stores count as surviving the process; true when absent. */
  readonly recoverable?: boolean;
  /** Hands messages between contexts over; each at once, once and in order when absent. */
  readonly deliver?: Deliver;
}

/** The stores of a virtual machine: one disk per engine name, kept for as long as the object lives. */
export class VirtualStores implements Stores {
  /** What goes wrong in the stores that are opened from now on; they count together. */
  faults = new FaultPlan();
  /** Every store that was opened, oldest first. */
  readonly opened: MemoryLogStore[] = [];
  readonly #disks = new Map<string, MemoryDisk>();
  readonly #recoverable: boolean;

  constructor(recoverable: boolean) {
    this.#recoverable = recoverable;
  }

  /** The disk of an engine; a new one when the engine was never opened. */
  disk(engineName: string): MemoryDisk {
    const known = this.#disks.get(engineName);
    if (known !== undefined) return known;
    const disk = new MemoryDisk();
    this.#disks.set(engineName, disk);
    return disk;
  }

  async open(engineName: string, _storage?: StorageKind): Promise<MemoryLogStore> {
    const store = new MemoryLogStore({
      disk: this.disk(engineName),
      recoverable: this.#recoverable,
      faults: this.faults,
    });
    this.opened.push(store);
    return store;
  }
}

/** A {@link Platform} whose parts can be moved and broken by hand. */
export interface VirtualPlatform extends Platform {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly locks: InProcessLocks;
  readonly stores: VirtualStores;
  readonly vaults: VirtualVaults;
  readonly witnesses: VirtualWitnesses;
  /** How contexts of this machine reach each other. */
  readonly network: VirtualNetwork;
  /** One more context of this machine, with channels to the others; every name is used once. */
  context(owner: string): VirtualContext;
  /** The same machine after its processes died: same clock, randomness and disks, no lock held. */
  restart(): VirtualPlatform;
}

/** Makes a virtual machine. Equal options and equal calls give equal behaviour. */
export function virtualPlatform(options: VirtualPlatformOptions = {}): VirtualPlatform {
  const machine = {
    clock: new VirtualClock(options.startMs ?? Date.UTC(2026, 0, 1)),
    random: new SeededRandom(options.seed ?? 1),
    stores: new VirtualStores(options.recoverable ?? true),
    vaults: new VirtualVaults(options.seed ?? 1),
    witnesses: new VirtualWitnesses(),
  };
  return assemble(machine, options.deliver);
}

function assemble(
  machine: Pick<VirtualPlatform, "clock" | "random" | "stores" | "vaults" | "witnesses">,
  deliver: Deliver | undefined,
): VirtualPlatform {
  const shared = { ...machine, locks: new InProcessLocks(), network: new VirtualNetwork(deliver) };
  return {
    ...shared,
    context: (owner) => virtualContext(shared, owner),
    restart: () => assemble(machine, deliver),
  };
}
