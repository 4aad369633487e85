/** What every reader of batches is to its consumer: turns in order, an end that is heard once, and nothing left behind. */
import { RecordBatch } from "@millrace/engine";
import { describe, expect, it } from "vitest";
import { BatchIterator } from "../src/batch-iterator.ts";

/** A batch like no other. */
const newBatch = (): RecordBatch =>
  new RecordBatch(new DataView(new ArrayBuffer(0)), new Uint32Array(0), []);

/** A reader that is told what it takes. */
class ToldReader extends BatchIterator {
  readonly taken: string[] = [];
  closed = 0;
  readonly #answer: (ending: AbortSignal) => Promise<RecordBatch | undefined>;

  constructor(
    answer: (ending: AbortSignal) => Promise<RecordBatch | undefined>,
    signal?: AbortSignal,
  ) {
    super(signal);
    this.#answer = answer;
  }

  protected override async take(): Promise<RecordBatch | undefined> {
    this.taken.push("began");
    const batch = await this.#answer(this.ending);
    this.taken.push("ended");
    return batch;
  }

  protected override close(): void {
    this.closed += 1;
  }
}

/** Rejects with what ends the reading. */
function untilEnded(ending: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    ending.addEventListener("abort", () => reject(ending.reason));
  });
}

const DONE = { done: true, value: undefined };

describe("BatchIterator", () => {
  it("takes one batch at a time, however many are asked for, and ends with the last one", async () => {
    const batches = [newBatch(), newBatch()];
    const left = [...batches];
    const reader = new ToldReader(async () => left.shift());
    const results = await Promise.all([reader.next(), reader.next(), reader.next()]);
    expect(results.map(({ done }) => done)).toEqual([false, false, true]);
    for (const [i, batch] of batches.entries()) expect(results[i]?.value).toBe(batch);
    expect(reader.taken).toEqual(["began", "ended", "began", "ended", "began", "ended"]);
    expect(reader.closed).toBe(1);
    expect(await reader.next()).toEqual(DONE);
    expect(reader.taken).toHaveLength(6);
  });

  it("throws its consumer's reason, also one that was there before, and closes", async () => {
    const leaving = new AbortController();
    const reader = new ToldReader(untilEnded, leaving.signal);
    const next = reader.next();
    leaving.abort("enough");
    await expect(next).rejects.toBe("enough");
    expect(reader.closed).toBe(1);
    const late = new ToldReader(async () => newBatch(), leaving.signal);
    await expect(late.next()).rejects.toBe("enough");
    expect(late.taken).toEqual([]);
  });

  it("ends what is under way when it is left, and says nothing of it", async () => {
    const reader = new ToldReader(untilEnded);
    const next = reader.next();
    await Promise.resolve();
    expect(reader.taken).toEqual(["began"]);
    expect(await reader.return()).toEqual(DONE);
    expect(await next).toEqual(DONE);
    expect(reader.closed).toBeGreaterThan(0);
  });

  it("throws what reading throws, once, and is over", async () => {
    const failure = new Error("no such stream");
    const reader = new ToldReader(async () => {
      throw failure;
    });
    await expect(reader.next()).rejects.toBe(failure);
    expect(reader.closed).toBe(1);
    expect(await reader.next()).toEqual(DONE);
  });
});
