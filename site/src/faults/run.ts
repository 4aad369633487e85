/** One run: an engine with an empty stream, a producer and a live reader, a fault, and the reading back. */
import type { EngineEvent, Millrace, RecordBatch, Stream } from "millrace";
import { Bench } from "./bench.ts";
import { alone } from "./bench-lock.ts";
import { BenchProducer } from "./bench-producer.ts";
import type { Fault } from "./faults.ts";
import type { RunResult, ToldEvent } from "./run-result.ts";
import { Running } from "./running.ts";
import { Acknowledgements, Tally } from "./tally.ts";
import { Trace } from "./trace.ts";
import { pause } from "./wait.ts";
import { toldText } from "./words.ts";

/** How long records flow before the first fault and after the last one, in ms. */
const CALM_MS = 800;
/** How long the live reader may take to come to the end, in ms. */
const CATCH_UP_MS_MAX = 5000;
const LOOK_MS = 20;
const KINDS = ["data-loss", "records-dropped", "storage-full", "leader-changed"] as const;

/** What a run needs. */
export interface RunOptions {
  readonly signal: AbortSignal;
  /** Is called when records begin to flow. */
  readonly onTrace: (trace: Trace) => void;
}

async function takeAll(batches: AsyncIterable<RecordBatch>, tally: Tally): Promise<void> {
  for await (const batch of batches) for (const record of batch) tally.take(record);
}

/** A reader that goes on through everything that happens. */
class LiveReader {
  readonly tally = new Tally();
  readonly #stop = new AbortController();
  readonly #reading: Promise<void>;

  constructor(stream: Stream) {
    const { signal } = this.#stop;
    const batches = stream.readBatches({ from: "TRIM_HORIZON", until: "live", signal });
    this.#reading = takeAll(batches, this.tally).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    // Whoever ends it is told.
    this.#reading.catch(() => undefined);
  }

  /** Ends it, once it has come across all that was acknowledged or time is up. @throws what it failed with. */
  async end(acknowledged: Acknowledgements): Promise<void> {
    for (let waitedMs = 0; waitedMs < CATCH_UP_MS_MAX; waitedMs += LOOK_MS) {
      if (this.tally.missing(acknowledged) === 0) break;
      await pause(LOOK_MS);
    }
    this.#stop.abort();
    await this.#reading;
  }
}

/** Keeps what the engine tells. */
function listen(millrace: Millrace, trace: Trace, signal: AbortSignal): ToldEvent[] {
  const told: ToldEvent[] = [];
  const take = (event: EngineEvent): void => {
    told.push({ kind: event.kind, text: toldText(event) });
    trace.mark("told", toldText(event));
  };
  for (const kind of KINDS) millrace.on(kind, take, { signal });
  return told;
}

async function befall(fault: Fault, bench: Bench, options: RunOptions): Promise<RunResult> {
  const { signal, onTrace } = options;
  const over = new AbortController();
  let wasHidden = document.hidden;
  const hide = (): void => {
    wasHidden = true;
  };
  document.addEventListener("visibilitychange", hide, { signal: over.signal });
  const [producerSeat, readerSeat] = [bench.seat("A"), bench.seat("B")];
  const acknowledgements = new Acknowledgements();
  const beganMs = Date.now();
  const trace = new Trace(() => performance.now());
  const told = listen(producerSeat.millrace, trace, over.signal);
  const live = new LiveReader(readerSeat.stream);
  const producer = new BenchProducer({ stream: producerSeat.stream, acknowledgements, trace });
  producer.start();
  onTrace(trace);
  try {
    const running = new Running({ bench, producer, trace, signal });
    await running.flow(CALM_MS);
    const times = await fault.strike(running);
    await running.flow(CALM_MS);
    trace.end();
    await producer.stop();
    await live.end(acknowledgements);
    const back = new Tally();
    await takeAll(
      producerSeat.stream.readBatches({ from: "TRIM_HORIZON", until: "end", signal }),
      back,
    );
    const { acknowledged, firstFaultMs = 0, longestGap } = trace;
    const acknowledgedBefore = trace.acknowledgedBefore(firstFaultMs);
    return {
      ...{ fault: fault.id, heading: fault.heading, beganMs, times, told, trace, wasHidden },
      acknowledgedBefore,
      acknowledgedAfter: acknowledged - acknowledgedBefore,
      readBack: back.report(acknowledgements),
      live: live.tally.report(acknowledgements),
      outageMs: longestGap === undefined ? trace.lastedMs : longestGap.untilMs - longestGap.fromMs,
    };
  } finally {
    over.abort();
    trace.end();
    await producer.stop().catch(() => undefined);
    await live.end(new Acknowledgements()).catch(() => undefined);
  }
}

/**
 * Lets a fault befall the engine and weighs what came of it. What the run wrote is deleted at its end.
 * @throws BenchInUseError; the signal's reason; what opening the engine, a put or a read fails with.
 */
export async function runFault(fault: Fault, options: RunOptions): Promise<RunResult> {
  const { signal } = options;
  return await alone(async () => {
    const bench = await Bench.open({ storageBudgetBytes: fault.storageBudgetBytes, signal });
    try {
      return await befall(fault, bench, options);
    } finally {
      await bench.close();
    }
  });
}
