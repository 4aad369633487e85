/** The playground over a real engine: what it puts into is what it was last set to. */
import { type Millrace, open } from "millrace";
import { expect, it } from "vitest";
import { producerOf } from "../src/places/address.ts";
import { Playground } from "../src/producer/playground.ts";
import { addressWith, settingsOf } from "../src/producer/settings.ts";

const OPENING_MS = 30_000;

const settings = (streamName: string) =>
  settingsOf(addressWith(producerOf(streamName), { ratePerSecond: 500 }));

async function countOf(millrace: Millrace, streamName: string): Promise<number> {
  let count = 0;
  const stream = await millrace.streams.get(streamName);
  for await (const batch of stream.readBatches({ from: "TRIM_HORIZON", until: "end" })) {
    count += batch.length;
  }
  return count;
}

it(
  "puts where it was set to last, also when that was changed there and back",
  async () => {
    await using millrace = await open({ name: "site-playground", storage: "memory" });
    for (const name of ["a", "b"]) await millrace.streams.create(name);
    const playground = Playground.of(millrace);
    playground.set(settings("a"));
    await playground.start();
    playground.set(settings("b"));
    playground.set(settings("a"));
    await expect.poll(() => countOf(millrace, "a")).toBeGreaterThan(0);
    const before = await countOf(millrace, "a");
    await expect.poll(() => countOf(millrace, "a")).toBeGreaterThan(before);
    await playground.stop();
    expect(playground.error).toBeUndefined();
    expect(await countOf(millrace, "b")).toBe(0);
  },
  OPENING_MS,
);
