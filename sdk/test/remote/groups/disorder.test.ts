/** Workers that join, leave and die at random while shards are split and merged: nothing is lost, and nothing overtakes. */
import type { GroupWorker, UserRecord } from "millrace";
import type { LeaseTable, RemoteStream } from "millrace/remote";
import { describe, expect, it } from "vitest";
import { clientOf } from "../../../src/client-of.ts";
import { EngineLeases } from "../../../src/remote/groups/engine-leases.ts";
import { keep, sorted, textOf, texts, until } from "../../groups/support.ts";
import { LeasesBehind, MemoryLeases } from "../memory-leases.ts";
import { openRunning, passed } from "../running-clock.ts";
import { startServe } from "../support.ts";
import { groupOf, openEngine, put } from "./support.ts";

const RECORDS = 450;
const PUT_AT_ONCE = 30;
const WORKERS_MAX = 4;
/** As `numbered` has them. */
const KEYS = 23;

/** One worker, as the test drives it. */
interface Running {
  readonly worker: GroupWorker;
  readonly far: LeasesBehind;
}

/** What was delivered, of all workers. */
class History {
  readonly delivered = new Set<string>();
  readonly complaints: string[] = [];
  /** Highest number of each key. */
  readonly #last = new Map<string, number>();
  /** The youngest processor of each shard that was given something. */
  readonly #processors = new Map<string, number>();
  #begun = 0;

  /** A lease begins at some worker; gives the number of its processor. */
  begin(): number {
    this.#begun += 1;
    return this.#begun;
  }

  /** A delivery begins. */
  note(processor: number, shardId: string, records: readonly UserRecord[]): void {
    const youngest = this.#processors.get(shardId) ?? 0;
    if (processor < youngest) {
      this.complaints.push(`${shardId} is given to ${processor} after ${youngest} had it`);
    }
    this.#processors.set(shardId, Math.max(youngest, processor));
    for (const record of records) this.#noteRecord(record);
  }

  #noteRecord(record: UserRecord): void {
    const { partitionKey } = record;
    const number = Number(textOf(record));
    // Each key has every 23rd number; what comes again is no news.
    const due = (this.#last.get(partitionKey) ?? (number % KEYS) - KEYS) + KEYS;
    if (number > due) this.complaints.push(`${number} came before ${due}`);
    this.#last.set(partitionKey, Math.max(due - KEYS, number));
    this.delivered.add(textOf(record));
  }
}

function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

async function join(
  stream: RemoteStream,
  leases: LeaseTable,
  history: History,
  workerId: string,
): Promise<Running> {
  const far = new LeasesBehind(leases);
  const group = await groupOf(stream, far, { handOverMs: 1000 });
  const worker = group.start(
    ({ shardId }) => {
      const processor = history.begin();
      return {
        processRecords: async ({ records }) => {
          history.note(processor, shardId, records);
          await passed(5);
        },
      };
    },
    { workerId, batchRecordsMax: 10, checkpointIntervalMs: 50 },
  );
  return { worker: keep(worker), far };
}

async function engineLeases(): Promise<LeaseTable> {
  const leases = new EngineLeases(clientOf(await openEngine()), "g", "1");
  await leases.open();
  return leases;
}

/** Splits a shard, or merges two. */
async function reshard(stream: RemoteStream, below: (count: number) => number): Promise<void> {
  const open = (await stream.describe()).openShards;
  const at = below(open.length);
  const [one, next] = [open[at], open[at + 1]];
  if (one === undefined) return;
  if (next !== undefined && open.length > 3) await stream.merge(one.shardId, next.shardId);
  else await stream.split(one.shardId);
}

describe("a group in disorder", () => {
  it.each([
    [1, "a table"],
    [2, "a table"],
    [3, "an engine"],
  ])(
    "is given every record, each key's in order: seed %i, leases in %s",
    async (seed, place) => {
      const below = randomOf(seed * 7919);
      const remote = await openRunning((await startServe()).url);
      const stream = await remote.streams.create("clicks", { shards: 2 });
      const leases = place === "a table" ? new MemoryLeases() : await engineLeases();
      const history = new History();
      const running: Running[] = [await join(stream, leases, history, "w0")];
      let named = 1;
      for (let from = 0; from < RECORDS; from += PUT_AT_ONCE) {
        await put(stream, from, from + PUT_AT_ONCE);
        const choice = below(10);
        const at = below(running.length);
        const chosen = running[at];
        if (choice < 3 && running.length < WORKERS_MAX) {
          running.push(await join(stream, leases, history, `w${named++}`));
        } else if (choice < 5 && running.length > 1 && chosen !== undefined) {
          running.splice(at, 1);
          await chosen.worker.stop();
        } else if (choice < 7 && running.length > 1 && chosen !== undefined) {
          running.splice(at, 1);
          chosen.far.cut();
        } else if (choice < 9) await reshard(stream, below);
        await passed(100 + below(500));
      }
      await until(() => history.delivered.size === RECORDS, 60_000);
      expect(sorted([...history.delivered])).toEqual(texts(0, RECORDS));
      expect(history.complaints).toEqual([]);
    },
    120_000,
  );
});
