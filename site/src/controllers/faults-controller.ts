/** Lets faults befall the engine on a person's word, one after the other, and keeps what came of them. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import { FAULTS, type Fault, type FaultId } from "../faults/faults.ts";
import { runFault } from "../faults/run.ts";
import type { RunResult } from "../faults/run-result.ts";
import type { Trace } from "../faults/trace.ts";
import { describeRunError, spokenResult } from "../faults/words.ts";
import type { ShownError } from "../live/advice.ts";

/** Runs that are kept at most. */
const RUNS_MAX = 100;
/** Pause between two drawings while a run goes on, in ms. */
const DRAW_MS = 200;

/** Why a run came to nothing. */
export interface FailedRun {
  readonly heading: string;
  readonly error: ShownError;
}

/** What outlives the view: the runs of this visit, the newest first. */
export class RunLog {
  #runs: readonly RunResult[] = [];

  /** The newest {@link RUNS_MAX} runs. */
  get runs(): readonly RunResult[] {
    return this.#runs;
  }

  /** Adds a run. */
  add(run: RunResult): void {
    this.#runs = [run, ...this.#runs].slice(0, RUNS_MAX);
  }
}

/** See above. A run that is under way when the host goes is broken off. */
export class FaultsController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  readonly #log: RunLog;
  #stop: AbortController | undefined;
  #running: FaultId | undefined;
  #waiting: readonly FaultId[] = [];
  #trace: Trace | undefined;
  #failed: FailedRun | undefined;
  #summary = "";

  constructor(host: ReactiveControllerHost, log: RunLog) {
    this.#host = host;
    this.#log = log;
    host.addController(this);
  }

  /** The fault that befalls the engine now. */
  get running(): FaultId | undefined {
    return this.#running;
  }

  /** Faults that come next. */
  get waiting(): readonly FaultId[] {
    return this.#waiting;
  }

  /** Whether a run is being broken off. */
  get stopping(): boolean {
    return this.#stop?.signal.aborted === true;
  }

  /** The course of the run under way; undefined while none is, or its engine is being opened. */
  get trace(): Trace | undefined {
    return this.#trace;
  }

  /** The last run, when it came to nothing. */
  get failed(): FailedRun | undefined {
    return this.#failed;
  }

  /** What has just happened, for those who do not see it. */
  get summary(): string {
    return this.#summary;
  }

  /** The runs of this visit, the newest first. */
  get runs(): readonly RunResult[] {
    return this.#log.runs;
  }

  hostConnected(): void {}

  hostDisconnected(): void {
    this.stop();
  }

  /** Breaks off what is under way and what would come next. */
  stop(): void {
    this.#stop?.abort(new DOMException("the run was stopped", "AbortError"));
    this.#host.requestUpdate();
  }

  /** Lets these faults befall the engine, in order. Never rejects; does nothing while a run is under way. */
  async run(faults: readonly Fault[] = FAULTS): Promise<void> {
    if (this.#stop !== undefined) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.#failed = undefined;
    const drawing = setInterval(() => this.#host.requestUpdate(), DRAW_MS);
    for (const [i, fault] of faults.entries()) {
      if (stop.signal.aborted || this.#failed !== undefined) break;
      this.#waiting = faults.slice(i + 1).map(({ id }) => id);
      await this.#runOne(fault, stop.signal);
    }
    clearInterval(drawing);
    this.#waiting = [];
    this.#stop = undefined;
    this.#host.requestUpdate();
  }

  async #runOne(fault: Fault, signal: AbortSignal): Promise<void> {
    this.#running = fault.id;
    this.#tell(`${fault.heading}: running.`);
    try {
      const run = await runFault(fault, {
        signal,
        onTrace: (trace) => {
          this.#trace = trace;
        },
      });
      this.#log.add(run);
      this.#tell(spokenResult(run));
    } catch (error) {
      if (signal.aborted) {
        this.#tell(`${fault.heading}: stopped.`);
      } else {
        this.#failed = { heading: fault.heading, error: describeRunError(error) };
        this.#tell(`${fault.heading}: the run failed.`);
      }
    } finally {
      this.#running = undefined;
      this.#trace = undefined;
    }
  }

  #tell(summary: string): void {
    this.#summary = summary;
    this.#host.requestUpdate();
  }
}
