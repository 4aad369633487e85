/** Readings of streams: what they are, and the rates between this reading and the one before. */
import type { Millrace, Stream, StreamDescription } from "millrace";
import { formatNumberOf } from "../live/format.ts";
import { type MetricsSample, ratesBetween, type ShardRates } from "../live/rates.ts";

/** One stream at one moment. */
export interface StreamReading {
  readonly description: StreamDescription;
  /** Rates per shard since the reading before; zeros at the first. */
  readonly rates: readonly ShardRates[];
}

/** Derives rates from one reading of a stream to the next. */
export class StreamMeter {
  #sample: MetricsSample | undefined;

  /** Reads the stream. @throws what the engine does, as ResourceNotFoundError. */
  async read(stream: Stream): Promise<StreamReading> {
    const description = await stream.describe();
    const shards = await stream.metrics();
    const sample = { takenMs: performance.now(), shards };
    const rates = ratesBetween(this.#sample, sample);
    this.#sample = sample;
    return { description, rates };
  }
}

/** Reads all streams of an engine. */
export class StreamsMeter {
  readonly #meters = new Map<number, StreamMeter>();

  /** Reads them, in the order of their names. */
  async read({ streams }: Millrace): Promise<StreamReading[]> {
    const descriptions = await streams.list();
    const readings = descriptions.map(async ({ name, uid }) => {
      const meter = this.#meters.get(uid) ?? new StreamMeter();
      this.#meters.set(uid, meter);
      return await meter.read(await streams.get(name));
    });
    const settled = await Promise.allSettled(readings);
    const known = new Set(descriptions.map(({ uid }) => uid));
    for (const uid of this.#meters.keys()) if (!known.has(uid)) this.#meters.delete(uid);
    // A stream that was deleted between the two questions is not there to be shown.
    return settled.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  }
}

/** A retention period in the largest unit that fits: `24 hours`, `7 days`. */
export function retentionText(hours: number): string {
  const days = hours > 24 && hours % 24 === 0;
  return days ? formatNumberOf(hours / 24, "day") : formatNumberOf(hours, "hour");
}
