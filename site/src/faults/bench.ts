/**
 * An engine to be hurt: of a name of its own, and open twice in this page, as two tabs would have it open.
 * The page makes its workers and can therefore end them, and can set their clocks wrong.
 */
import { type Millrace, open, type Stream } from "millrace";
import { engineScript, skewedScript } from "./scripts.ts";
import { pause } from "./wait.ts";

/** Name of the engine. */
export const BENCH_ENGINE = "millrace-faults";
/** Name of the stream that the producer puts into. */
export const BENCH_STREAM = "run";
/** Shards of that stream. */
const SHARDS = 2;
/** Pause between two questions who leads, in ms. */
const LOOK_MS = 20;
/** How long the engine may be without a leader, in ms. */
const PATIENCE_MS = 30_000;

/** Names of the two workers. */
export const SEAT_NAMES = ["A", "B"] as const;

/** Name of one of the two workers. */
export type SeatName = (typeof SEAT_NAMES)[number];

/** One of the two that share the engine. */
export interface Seat {
  readonly name: SeatName;
  readonly millrace: Millrace;
  readonly stream: Stream;
  /** Ends the worker that it has at this moment, as a crash does: without a word to anybody. */
  crash(): void;
}

/** A seat with what it says of the lead. */
export interface Leader {
  readonly seat: Seat;
  readonly epoch: number;
}

/** What a bench is opened with. */
export interface BenchOptions {
  /** Bytes that the engine may keep; as many as the browser gives when absent. */
  readonly storageBudgetBytes?: number | undefined;
  readonly signal: AbortSignal;
}

/** The wrong clocks of a bench's workers. */
class Clocks {
  readonly #channelName = `millrace-faults:${crypto.randomUUID()}`;
  readonly #channel = new BroadcastChannel(this.#channelName);
  #skewMs = 0;

  /** Sets all clocks wrong by this much, those of workers that come later too. */
  set(skewMs: number): void {
    this.#skewMs = skewMs;
    this.#channel.postMessage(skewMs);
  }

  /** Makes a worker of the engine with such a clock. */
  worker(name: string): Worker {
    const script = new URL(skewedScript());
    script.searchParams.set("engine", engineScript());
    script.searchParams.set("skew", String(this.#skewMs));
    script.searchParams.set("channel", this.#channelName);
    return new Worker(script.href, { type: "module", name });
  }

  close(): void {
    this.#channel.close();
  }
}

interface OpenSeat {
  readonly name: SeatName;
  readonly millrace: Millrace;
  crash(): void;
}

async function openSeat(name: SeatName, clocks: Clocks, options: BenchOptions): Promise<OpenSeat> {
  let worker: Worker | undefined;
  const { storageBudgetBytes, signal } = options;
  const millrace = await open({
    name: BENCH_ENGINE,
    signal,
    worker: () => {
      worker = clocks.worker(`${BENCH_ENGINE} ${name}`);
      return worker;
    },
    ...(storageBudgetBytes === undefined ? {} : { storageBudgetBytes }),
  });
  return { name, millrace, crash: () => worker?.terminate() };
}

/** Deletes what earlier runs left: one that was broken off leaves its stream. */
async function empty({ streams }: Millrace): Promise<void> {
  for (const { name } of await streams.list()) await streams.delete(name);
}

/** See above. Open it, hurt it, close it. */
export class Bench {
  /** The two that share the engine; the producer puts through A, the live reader reads through B. */
  readonly seats: readonly Seat[];
  readonly #clocks: Clocks;

  private constructor(seats: readonly Seat[], clocks: Clocks) {
    this.seats = seats;
    this.#clocks = clocks;
  }

  /** Opens it with an empty stream. @throws what opening the engine throws; the signal's reason. */
  static async open(options: BenchOptions): Promise<Bench> {
    const clocks = new Clocks();
    const opened: OpenSeat[] = [];
    try {
      for (const name of SEAT_NAMES) opened.push(await openSeat(name, clocks, options));
      const seats: Seat[] = [];
      for (const seat of opened) {
        const { streams } = seat.millrace;
        if (seats.length === 0) await empty(seat.millrace);
        seats.push({ ...seat, stream: await streams.ensure(BENCH_STREAM, { shards: SHARDS }) });
      }
      return new Bench(seats, clocks);
    } catch (error) {
      for (const { millrace } of opened) await millrace.close().catch(() => undefined);
      clocks.close();
      throw error;
    }
  }

  /** The seat of a name. */
  seat(name: SeatName): Seat {
    const found = this.seats.find((seat) => seat.name === name);
    if (found === undefined) throw new Error(`there is no worker ${name}`);
    return found;
  }

  /**
   * Who leads in the latest term, once there is one after `afterEpoch`.
   * @throws the signal's reason; when nobody leads for 30 s.
   */
  async leader(afterEpoch: number, signal: AbortSignal): Promise<Leader> {
    for (const beganMs = performance.now(); ; ) {
      signal.throwIfAborted();
      if (performance.now() - beganMs > PATIENCE_MS) {
        throw new Error(`nobody led the engine for ${PATIENCE_MS / 1000} s`);
      }
      const leaders: Leader[] = [];
      for (const seat of this.seats) {
        const { role, epoch } = await seat.millrace.member();
        if (role === "leader" && epoch > afterEpoch) leaders.push({ seat, epoch });
      }
      // One that was robbed of the lead may not know it yet.
      const [latest] = leaders.toSorted((a, b) => b.epoch - a.epoch);
      if (latest !== undefined) return latest;
      await pause(LOOK_MS);
    }
  }

  /** Takes the writer's lock away from whoever holds it, and lets go of it at once. */
  async stealLock(): Promise<void> {
    const lock = `millrace:${BENCH_ENGINE}:writer`;
    try {
      await navigator.locks.request(lock, { steal: true }, () => undefined);
    } catch (error) {
      // A worker that took the leader for dead stole it from us in the same moment: it is taken either way.
      if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    }
  }

  /** Sets the clocks of both workers wrong, by ms; 0 sets them right. */
  setClocks(skewMs: number): void {
    this.#clocks.set(skewMs);
  }

  /** Deletes all streams and closes both. Never rejects: what is left is deleted by the next one. */
  async close(): Promise<void> {
    this.setClocks(0);
    const [first, ...others] = this.seats;
    if (first !== undefined) await empty(first.millrace).catch(() => undefined);
    for (const { millrace } of others) await millrace.close().catch(() => undefined);
    await first?.millrace.close().catch(() => undefined);
    this.#clocks.close();
  }
}
