/**
 * Engines without members: pages choose an engine themselves, and some stay with a leader that was deposed
 * for as long as it answers, which is worse than anything that members do.
 */
import {
  DeposedError,
  EngineClosedError,
  EngineFailedError,
  EngineInUseError,
  MillraceError,
} from "../../engine/host/src/errors/index.ts";
import type { EngineService } from "../../engine/host/src/service/engine-service.ts";
import { type Connection, type Fleet, type Host, LostError, openAlone, unopened } from "./fleet.ts";
import type { Machine } from "./machine.ts";
import type { Process } from "./scheduler.ts";

/** How long a page waits for an answer, in ms. */
const PATIENCE_MS = 4000;

function hasEnded(error: unknown): boolean {
  return (
    error instanceof DeposedError ||
    error instanceof EngineFailedError ||
    error instanceof EngineClosedError ||
    error instanceof EngineInUseError ||
    (error instanceof MillraceError && error.code === "StorageUnavailableException")
  );
}

function notYet(): never {
  throw new LostError("the engine was not open when it was asked");
}

/** {@link Fleet} of engines of which each is opened alone. */
export class AloneFleet implements Fleet {
  readonly machine: Machine;
  lossesFound = 0;
  readonly #module: WebAssembly.Module;
  readonly #hosts: Host[] = [];
  readonly #launcher: Process;
  #started = 0;
  #connected = 0;
  #starting = false;
  #stopped = false;

  constructor(machine: Machine, module: WebAssembly.Module) {
    this.machine = machine;
    this.#module = module;
    this.#launcher = machine.outside("launcher");
    this.start(false);
  }

  get living(): readonly Host[] {
    return this.#hosts.filter(({ process }) => process.alive);
  }

  /** The newest engine that has opened, unless it is known to have ended; nobody goes back to an older one. */
  get leader(): Host | undefined {
    const newest = this.#hosts.findLastIndex(({ open }) => open);
    const usable = this.#hosts
      .slice(Math.max(0, newest))
      .filter(({ process, retired }) => process.alive && !retired);
    return usable.find(({ open }) => open) ?? usable.at(-1);
  }

  connect(page: Process): Connection {
    this.#connected += 1;
    return new ChosenEngine(page, this, this.#connected % 2 === 0);
  }

  takeOver(): Host {
    return this.start(true);
  }

  close(host: Host): void {
    const closed = (): void => this.machine.kill(host.process, "it closed in order");
    const { scheduler } = this.machine;
    scheduler.schedule(host.process, "closes", { delayMs: 0 }, () => {
      this.retire(host);
      host.service.then((service) => service.close().then(closed, closed), unopened).catch(closed);
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Starts a worker that opens an engine. */
  start(steal: boolean): Host {
    this.#started += 1;
    const process = this.machine.process(`w${this.#started}`);
    const opening = openAlone(this.machine.platform(process, false), this.#module, steal);
    const host: Host = { process, service: opening, open: false, retired: false };
    this.machine.note(`${process.name} starts${steal ? ", stealing the lock" : ""}`);
    opening.then(
      async (service) => {
        host.open = true;
        this.lossesFound += (await service.call("dataLoss", {})).length;
      },
      (error: unknown) => {
        this.machine.kill(process, `its engine could not be opened: ${String(error)}`);
        this.retire(host);
      },
    );
    this.machine.onDeath(process, () => this.retire(host));
    this.#hosts.push(host);
    return host;
  }

  /** Notes that an engine leads no more. */
  retire(host: Host): void {
    host.retired = true;
    this.launch();
  }

  /** Starts a worker when nobody leads or is about to. */
  launch(): void {
    if (this.leader !== undefined || this.#starting || this.#stopped) return;
    this.#starting = true;
    const { scheduler } = this.machine;
    const options = { delayMs: scheduler.latencyMs(20) };
    scheduler.schedule(this.#launcher, "starts a worker", options, () => {
      this.#starting = false;
      // A zombie that still holds the lock would keep everybody out for ever.
      if (this.leader === undefined && !this.#stopped) this.start(true);
    });
  }
}

/** A page's way to the engine that it believes to lead. */
class ChosenEngine implements Connection {
  readonly page: Process;
  readonly #fleet: AloneFleet;
  /** Stays with an engine until it fails, whatever it hears of newer ones. */
  readonly #sticky: boolean;
  #host: Host | undefined;

  constructor(page: Process, fleet: AloneFleet, sticky: boolean) {
    this.page = page;
    this.#fleet = fleet;
    this.#sticky = sticky;
  }

  ask<Result>(label: string, work: (service: EngineService) => Promise<Result>): Promise<Result> {
    const host = this.#choose();
    const { machine } = this.#fleet;
    return new Promise((resolve, reject) => {
      const give = (): void => {
        this.#leave(host);
        reject(new LostError(`${label}: no answer`));
      };
      const patience = { delayMs: PATIENCE_MS };
      const stop = machine.scheduler.schedule(this.page, `${label}: no answer`, patience, give);
      if (host === undefined) {
        this.#fleet.launch();
        return;
      }
      machine.call({
        ...{ from: this.page, to: host.process, label },
        // Only a leader takes requests; one that waited for its opening would come when another had refused it.
        work: () => (host.open ? host.service.then(work) : host.service.then(notYet, unopened)),
        answered: (settle) => {
          stop();
          settle(resolve, (error) => reject(this.#judge(host, label, error)));
        },
      });
    });
  }

  #choose(): Host | undefined {
    const kept = this.#sticky && this.#host?.process.alive === true && !this.#host.retired;
    if (!kept) this.#host = this.#fleet.leader;
    return this.#host;
  }

  #leave(host: Host | undefined): void {
    if (host === undefined || host !== this.#host) return;
    this.#host = undefined;
    // An engine that does not answer for seconds is taken for dead by everybody.
    this.#fleet.retire(host);
  }

  #judge(host: Host, label: string, error: unknown): unknown {
    if (!hasEnded(error)) return error;
    this.#leave(host);
    this.#fleet.retire(host);
    return new LostError(`${label}: ${String(error)}`);
  }
}
