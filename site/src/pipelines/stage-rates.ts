/** How fast a pipeline flows: what comes into its streams, and what its stages take out of them. */
import type { PipelineDescription, PipelineEdge } from "millrace";
import type { StreamReading } from "../streams/readings.ts";

/** Readings over which a rate is taken. */
const READINGS = 5;

/** Records that came into a stream in a second, over all of its shards. */
export function incomingOf(streams: readonly StreamReading[], streamName: string): number {
  const found = streams.find(({ description }) => description.name === streamName);
  return (found?.rates ?? []).reduce((sum, rate) => sum + rate.incomingRecordsPerSecond, 0);
}

interface Sample {
  readonly takenMs: number;
  /** Records per second. */
  readonly incoming: number;
  readonly lagRecords: number;
}

/** Derives what stages take from one reading to the next: what came in less what the lag grew by. */
export class StageRates {
  readonly #samples = new Map<string, readonly Sample[]>();

  /** Takes a reading. `nowMs` is any clock that only goes forward. */
  take({ edges }: PipelineDescription, streams: readonly StreamReading[], nowMs: number): void {
    for (const { stage, from, lagRecords, group } of edges) {
      if (group === undefined) continue;
      const sample = { takenMs: nowMs, incoming: incomingOf(streams, from), lagRecords };
      const before = this.#samples.get(stage) ?? [];
      this.#samples.set(stage, [...before, sample].slice(-READINGS));
    }
  }

  /** Records that a stage processes in a second; 0 before two readings of its group. */
  perSecond({ stage }: Pick<PipelineEdge, "stage">): number {
    const samples = this.#samples.get(stage) ?? [];
    const [first, last] = [samples[0], samples.at(-1)];
    if (first === undefined || last === undefined || first === last) return 0;
    const seconds = (last.takenMs - first.takenMs) / 1000;
    const came = samples.slice(1).reduce((sum, sample, i) => {
      const spanMs = sample.takenMs - (samples[i]?.takenMs ?? sample.takenMs);
      return sum + (sample.incoming * spanMs) / 1000;
    }, 0);
    return Math.max(0, (came - (last.lagRecords - first.lagRecords)) / seconds);
  }
}
