/**
 * Engines that contexts share: every page has a worker of its own with a real member in it, and starts
 * another one when that dies. Which of them leads is theirs to find out.
 */
import { EngineClosedError } from "../../engine/host/src/errors/index.ts";
import { openShared } from "../../engine/host/src/leader/open-shared.ts";
import { PortBroker } from "../../engine/host/src/leader/port-broker.ts";
import { writerLockName } from "../../engine/host/src/platform/locks.ts";
import type { EngineService } from "../../engine/host/src/service/engine-service.ts";
import {
  type Connection,
  ENGINE_NAME,
  ENGINE_OPTIONS,
  type Fleet,
  type Host,
  LostError,
  openHere,
  unopened,
} from "./fleet.ts";
import type { Machine } from "./machine.ts";
import type { Process } from "./scheduler.ts";

/** How long a page waits for its own worker, in ms: longer than that one waits for a leader. */
const PATIENCE_MS = 130_000;

/** {@link Fleet} of members. */
export class MemberFleet implements Fleet {
  readonly machine: Machine;
  lossesFound = 0;
  readonly #module: WebAssembly.Module;
  readonly #hosts: Host[] = [];
  readonly #thief: Process;
  #started = 0;
  #stopped = false;

  /** With `brokered`, there is a port broker; without, messages are relayed. */
  constructor(machine: Machine, module: WebAssembly.Module, brokered: boolean) {
    this.machine = machine;
    this.#module = module;
    this.#thief = machine.outside("thief");
    if (!brokered) return;
    const broker = new PortBroker({
      nowMs: () => machine.wallMs,
      monotonicMs: () => machine.scheduler.nowMs,
    });
    machine.network.startBroker((port) => broker.connect(port));
  }

  get living(): readonly Host[] {
    return this.#hosts.filter(({ process }) => process.alive);
  }

  /** Whoever wrote to the log last. */
  get leader(): Host | undefined {
    const { lastWriter } = this.machine.watch;
    return this.living.find(({ process }) => process.name === lastWriter);
  }

  connect(page: Process): Connection {
    return new OwnWorker(page, this);
  }

  /** Steals the lock and lets it go again: whoever led is deposed, and all may line up. */
  takeOver(): undefined {
    const { locks } = this.machine.platform(this.#thief, false);
    void locks.acquire(writerLockName(ENGINE_NAME), { steal: true }).then((held) => {
      held.release();
    });
  }

  close(host: Host): void {
    const closed = (): void => this.machine.kill(host.process, "it closed in order");
    const { scheduler } = this.machine;
    scheduler.schedule(host.process, "closes", { delayMs: 0 }, () => {
      host.service.then((service) => service.close()).then(closed, closed);
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Starts the worker of a page; nothing when the run is over. */
  start(page: Process): Host | undefined {
    if (this.#stopped || !page.alive) return undefined;
    this.#started += 1;
    const process = this.machine.process(`w${this.#started}`);
    const platform = this.machine.platform(process, true);
    const opening = openShared(platform, ENGINE_OPTIONS, async (locked) => {
      const engine = await openHere(locked, this.#module);
      this.lossesFound += (await engine.call("dataLoss", {})).length;
      return engine;
    });
    const host: Host = { process, service: opening, open: false, retired: false };
    this.machine.note(`${process.name} starts for ${page.name}`);
    this.machine.onDeath(page, () => this.machine.kill(process, "its page ended"));
    opening.then(
      () => {
        host.open = true;
      },
      (error: unknown) => {
        this.machine.kill(process, `its member could not be opened: ${String(error)}`);
      },
    );
    this.#hosts.push(host);
    return host;
  }
}

/** A page's way to its own worker. */
class OwnWorker implements Connection {
  readonly page: Process;
  readonly #fleet: MemberFleet;
  #host: Host | undefined;
  readonly #waiting = new Set<(error: LostError) => void>();

  constructor(page: Process, fleet: MemberFleet) {
    this.page = page;
    this.#fleet = fleet;
    this.#start();
  }

  ask<Result>(label: string, work: (service: EngineService) => Promise<Result>): Promise<Result> {
    const host = this.#host;
    const { machine } = this.#fleet;
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      const give = (): void => {
        this.#waiting.delete(reject);
        reject(new LostError(`${label}: no answer`));
      };
      const patience = { delayMs: PATIENCE_MS };
      const stop = machine.scheduler.schedule(this.page, `${label}: no answer`, patience, give);
      if (host === undefined) return;
      machine.call({
        ...{ from: this.page, to: host.process, label },
        work: () => host.service.then(work, unopened),
        answered: (settle) => {
          stop();
          this.#waiting.delete(reject);
          settle(resolve, (error) => {
            const ended = error instanceof EngineClosedError;
            reject(ended ? new LostError(`${label}: ${error.message}`) : error);
          });
        },
      });
    });
  }

  /** Starts a worker, and another one when it dies; what it was asked must be asked again. */
  #start(): void {
    const { machine } = this.#fleet;
    const host = this.#fleet.start(this.page);
    this.#host = host;
    if (host === undefined) return;
    machine.onDeath(host.process, () => {
      const options = { delayMs: machine.scheduler.latencyMs(5) };
      machine.scheduler.schedule(this.page, "its worker died", options, () => {
        this.#start();
        for (const reject of this.#waiting) reject(new LostError("the worker died"));
        this.#waiting.clear();
      });
    });
  }
}
