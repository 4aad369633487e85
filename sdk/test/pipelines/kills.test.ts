/** A pipeline of three stages and a branch whose workers and engines are killed at random: nothing twice, nothing lost. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Millrace, open } from "millrace";
import { describe, expect, it } from "vitest";
import { buildDag, isDone, problemsOf, putOrders, SOURCE } from "./dag.ts";

const RECORDS = 20_000;
const KILLS = 20;
const PUT_AT_ONCE = 500;
const SEED = Number(process.env["MILLRACE_SEED"] ?? 11);

/** Random fractions that a seed decides. */
function fractions(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

describe("a pipeline that is killed again and again", () => {
  it(`puts out what an uninterrupted one does, ${RECORDS} records and ${KILLS} kills`, async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-pipelines-"));
    const random = fractions(SEED);
    const start = async (): Promise<Millrace> => {
      const engine = await open({ name: "dag", storage: "file", directory, quotas: "unlimited" });
      await engine.streams.ensure(SOURCE);
      return engine;
    };
    let engine = await start();
    try {
      let put = 0;
      let kills = 0;
      for (let done = false; !done; ) {
        const pipeline = await buildDag(engine, 2);
        await pipeline.start({ batchRecordsMax: 50 + Math.floor(random() * 400), workerId: "w" });
        const source = await engine.streams.get(SOURCE);
        const until = kills === KILLS ? RECORDS : Math.ceil((RECORDS * (kills + 1)) / (KILLS + 1));
        for (; put < until; put += PUT_AT_ONCE) {
          await putOrders(source, put, Math.min(RECORDS, put + PUT_AT_ONCE));
        }
        if (kills === KILLS) {
          while (!(await isDone(pipeline))) await new Promise((resolve) => setTimeout(resolve, 20));
          done = true;
        } else await new Promise((resolve) => setTimeout(resolve, random() * 120));
        await pipeline.stop({ graceful: false });
        if (kills < KILLS && random() < 0.5) {
          await engine.close();
          engine = await start();
        }
        kills += 1;
      }
      expect(await problemsOf(engine, RECORDS)).toEqual([]);
    } finally {
      await engine.close();
      await rm(directory, { recursive: true, force: true });
    }
  }, 180_000);
});
