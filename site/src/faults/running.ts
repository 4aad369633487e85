/** What a fault has before it while it befalls the engine. */
import type { Bench } from "./bench.ts";
import type { BenchProducer } from "./bench-producer.ts";
import type { Trace } from "./trace.ts";
import { pause } from "./wait.ts";

/** Pause between two looks at whether records are acknowledged again, in ms. */
const LOOK_MS = 10;
/** How long an engine may take to acknowledge a record again, in ms. */
const PATIENCE_MS = 30_000;

/** What a run is made of. */
export interface RunningParts {
  readonly bench: Bench;
  readonly producer: Pick<BenchProducer, "refusals" | "failure">;
  readonly trace: Trace;
  readonly signal: AbortSignal;
}

/** A run under way. */
export class Running implements RunningParts {
  readonly bench: Bench;
  readonly producer: Pick<BenchProducer, "refusals" | "failure">;
  readonly trace: Trace;
  readonly signal: AbortSignal;

  constructor({ bench, producer, trace, signal }: RunningParts) {
    this.bench = bench;
    this.producer = producer;
    this.trace = trace;
    this.signal = signal;
  }

  /** Lets records flow for a while. @throws the signal's reason; what the producer failed with. */
  async flow(ms: number): Promise<void> {
    await pause(ms);
    this.signal.throwIfAborted();
    if (this.producer.failure !== undefined) throw this.producer.failure;
  }

  /** Resolves when a record is acknowledged from now on. @throws as {@link flow}; when none is for 30 s. */
  async recovered(): Promise<void> {
    const { trace } = this;
    const [before, beganMs] = [trace.acknowledged, trace.lastedMs];
    while (trace.acknowledged === before) {
      if (trace.lastedMs - beganMs > PATIENCE_MS) {
        throw new Error(`no record was acknowledged for ${PATIENCE_MS / 1000} s`);
      }
      await this.flow(LOOK_MS);
    }
  }

  /** Notes what the page did to the engine. */
  did(text: string): void {
    this.trace.mark("done", text);
  }

  /** Ends the worker that leads, waits for the next leader and for records to be acknowledged again. */
  async crashLeader(): Promise<void> {
    const { seat, epoch } = await this.bench.leader(-1, this.signal);
    this.did(`Worker ${seat.name} is terminated; it led in epoch ${epoch}`);
    seat.crash();
    await this.bench.leader(epoch, this.signal);
    await this.recovered();
  }

  /** Takes the lock away from whoever leads, and waits as {@link crashLeader} does. */
  async dropLeader(): Promise<void> {
    const { seat, epoch } = await this.bench.leader(-1, this.signal);
    this.did(`The writer's lock is stolen from worker ${seat.name}, which led in epoch ${epoch}`);
    await this.bench.stealLock();
    await this.bench.leader(epoch, this.signal);
    await this.recovered();
  }
}
