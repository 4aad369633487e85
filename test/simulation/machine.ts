/**
 * The simulated machine: one disk, one set of locks and keys, a wall clock that may be wrong, and
 * processes that come and go. Pages are processes, and so is every worker that runs an engine.
 */
import { InProcessLocks } from "../../engine/host/src/platform/in-process-locks.ts";
import type { Platform } from "../../engine/host/src/platform/platform.ts";
import { BROKER_OWNER, VirtualNetwork } from "../../engine/host/src/platform/virtual-channels.ts";
import { VirtualVaults } from "../../engine/host/src/platform/virtual-vault.ts";
import { MemoryDisk } from "../../engine/host/src/storage/memory-disk.ts";
import { DiskWatch } from "./disk-watch.ts";
import type { Process, Scheduler } from "./scheduler.ts";
import { type PlatformParts, simPlatform, UNFORCED, type WallClock } from "./sim-platform.ts";
import type { StoreFaults } from "./sim-store.ts";
import type { Verdict } from "./violations.ts";

/** Where all simulations begin: 2026-01-01, in ms since the Unix epoch. */
const START_MS = Date.UTC(2026, 0, 1);

/** How often messages between contexts go wrong: once in so many, 0 for never. */
export interface MessageFaults {
  dropOneIn: number;
  repeatOneIn: number;
  reorderOneIn: number;
}

/** Settles a call with what came of it. */
type Settle<Result> = (resolve: (result: Result) => void, reject: (error: unknown) => void) => void;

/** A call of one process by another. */
export interface RemoteCall<Result> {
  readonly from: Process;
  readonly to: Process;
  readonly label: string;
  /** Runs in the one that is called. */
  readonly work: () => Promise<Result>;
  /** Runs in the one that calls. */
  readonly answered: (settle: Settle<Result>) => void;
}

/** One machine with everything that survives its processes. */
export class Machine {
  readonly scheduler: Scheduler;
  readonly verdict: Verdict;
  readonly disk = new MemoryDisk();
  readonly watch: DiskWatch;
  readonly wall: WallClock = { offsetMs: START_MS };
  readonly vaults: VirtualVaults;
  readonly network: VirtualNetwork;
  readonly storeFaults: StoreFaults = {
    ...{ abortOneIn: 0, unknownOneIn: 0, closeOneIn: 0, flipOneIn: 0 },
    capacityBytes: Number.POSITIVE_INFINITY,
  };
  readonly messageFaults: MessageFaults = { dropOneIn: 0, repeatOneIn: 0, reorderOneIn: 0 };
  /** Whether a power cut took something, which may then be reported. */
  lostPower = false;
  readonly #locks = new InProcessLocks();
  readonly #witnesses = new Map<string, Uint8Array>();
  readonly #processes = new Map<string, Process>();
  readonly #vectors = new Set<string>();
  #powerCuts = 0;
  readonly #outside = new Set<string>();
  readonly #diskProcess: Process;
  readonly #onDeath = new Map<string, (() => void)[]>();

  constructor(scheduler: Scheduler, verdict: Verdict) {
    this.scheduler = scheduler;
    this.verdict = verdict;
    this.watch = new DiskWatch(this.disk, verdict);
    this.vaults = new VirtualVaults(scheduler.random.nextUint32());
    this.#diskProcess = this.outside("disk");
    this.outside(BROKER_OWNER);
    this.network = new VirtualNetwork((task, { from, to, kind, channel }) =>
      this.#deliver(task, { from, to, label: `${kind} ${channel}` }),
    );
  }

  /** Wall time in ms since the Unix epoch. */
  get wallMs(): number {
    return this.scheduler.nowMs + this.wall.offsetMs;
  }

  /** All processes that live, oldest first. */
  get living(): readonly Process[] {
    return [...this.#processes.values()].filter(({ alive }) => alive);
  }

  /** A process that is no part of the machine and survives its power cuts. */
  outside(name: string): Process {
    this.#outside.add(name);
    return this.process(name);
  }

  /** Starts a process; every name is used once. */
  process(name: string): Process {
    if (this.#processes.has(name)) throw new Error(`there was a process ${name} before`);
    const process: Process = { name, alive: true, frozenUntilMs: 0 };
    this.#processes.set(name, process);
    return process;
  }

  /** The surroundings of a process; with `shared`, it reaches the other contexts. */
  platform(owner: Process, shared: boolean): Platform {
    const parts: PlatformParts = {
      ...{ scheduler: this.scheduler, disk: this.disk, watch: this.watch },
      ...{ faults: this.storeFaults, diskProcess: this.#diskProcess, wall: this.wall },
      powerCuts: () => this.#powerCuts,
      ...{ vectors: this.#vectors, verdict: this.verdict },
      ...{ locks: this.#locks, vaults: this.vaults, witnesses: this.#witnesses },
      channels: shared ? this.network.of(owner.name) : undefined,
    };
    return simPlatform(parts, owner);
  }

  /** Calls back once when a process dies. */
  onDeath(process: Process, callback: () => void): void {
    this.#onDeath.set(process.name, [...(this.#onDeath.get(process.name) ?? []), callback]);
  }

  /** Ends a process at once: its locks are free, and what it was about to do never happens. */
  kill(process: Process, why: string): void {
    if (!process.alive) return;
    process.alive = false;
    this.note(`${process.name} dies: ${why}`);
    this.network.kill(process.name);
    this.#locks.releaseAll(process.name);
    for (const callback of this.#onDeath.get(process.name) ?? []) callback();
  }

  /** Nothing of a process runs for a while. */
  freeze(process: Process, forMs: number): void {
    this.note(`${process.name} freezes for ${Math.round(forMs)} ms`);
    process.frozenUntilMs = this.scheduler.nowMs + forMs;
  }

  /**
   * Ends everything at once and takes back what was not synced, but for the oldest changes; the first one
   * that is lost may be torn. Returns whether anything was lost.
   */
  powerCut(): boolean {
    this.#powerCuts += 1;
    for (const process of this.living) {
      if (!this.#outside.has(process.name)) this.kill(process, "power cut");
    }
    const before = new Map(
      this.disk.frameNumbers().map((number) => [number, this.disk.readFrame(number)]),
    );
    const unsynced = this.disk.unsyncedChanges;
    const lost = this.disk.powerCut(this.scheduler.random.below(unsynced + 1));
    const left = new Set(this.disk.frameNumbers());
    const torn = [...before.keys()].find((number) => !left.has(number));
    const newest = this.disk.frameNumbers().at(-1) ?? 0;
    if (torn === newest + 1 && this.scheduler.oneIn(2)) {
      const frame = before.get(torn);
      const keep = this.scheduler.random.below(frame?.byteLength ?? 0);
      this.disk.overwriteFrame(torn, frame?.slice(0, keep));
      this.note(`frame ${torn} is torn after ${keep} bytes`);
    }
    this.note(`power cut: ${lost} of ${unsynced} unsynced changes are lost`);
    this.lostPower ||= lost > 0;
    for (const name of [...this.#witnesses.keys()].filter((one) => one.endsWith(UNFORCED))) {
      this.#witnesses.delete(name);
      // From here on it may be told that something was lost, though nothing was.
      this.lostPower = true;
    }
    this.watch.cutBack();
    return lost > 0;
  }

  /** Makes a call of another process, as over a port; nothing comes back when either of them dies. */
  call<Result>({ from, to, label, work, answered }: RemoteCall<Result>): void {
    const { scheduler } = this;
    const answer = (settle: Settle<Result>): void => {
      const options = { delayMs: scheduler.latencyMs(0.3), line: `${to.name}>${from.name}` };
      scheduler.schedule(from, `${label} answered`, options, () => answered(settle));
    };
    const options = { delayMs: scheduler.latencyMs(0.3), line: `${from.name}>${to.name}` };
    scheduler.schedule(to, `${label} from ${from.name}`, options, () => {
      work().then(
        (result) => answer((resolve) => resolve(result)),
        (error: unknown) => answer((_, reject) => reject(error)),
      );
    });
  }

  /** Writes something into the trace that is not a task. */
  note(what: string): void {
    this.scheduler.trace.add(this.scheduler.nowMs, "*", what);
  }

  #deliver(
    task: () => void,
    { from, to, label }: { from: string; to: string; label: string },
  ): void {
    const { scheduler, messageFaults } = this;
    const { dropOneIn, repeatOneIn, reorderOneIn } = messageFaults;
    const receiver = this.#processes.get(to);
    if (receiver === undefined) return;
    if (label.startsWith("port")) {
      const options = { delayMs: scheduler.latencyMs(0.3), line: `${from} ${to} ${label}` };
      scheduler.schedule(receiver, `${label} from ${from}`, options, task);
      return;
    }
    if (dropOneIn > 0 && scheduler.oneIn(dropOneIn)) {
      this.note(`dropped ${from} > ${to} ${label}`);
      return;
    }
    const times = repeatOneIn > 0 && scheduler.oneIn(repeatOneIn) ? 2 : 1;
    for (let time = 0; time < times; time += 1) {
      const overtakes = reorderOneIn > 0 && scheduler.oneIn(reorderOneIn);
      const delayMs = scheduler.latencyMs(overtakes ? 5 : 0.3);
      const options = overtakes ? { delayMs } : { delayMs, line: `${from} ${to} ${label}` };
      scheduler.schedule(receiver, `${label} from ${from}`, options, task);
    }
  }
}
