/** Replications that end in the middle of their work: only what was not answered is sent twice, and nobody sees it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Checkpointer, EngineClosedError, type Millrace, open, type Stream } from "millrace";
import { decodeAggregate } from "millrace/aggregation";
import type { RemoteMillrace, RemoteStream } from "millrace/remote";
import { describe, expect, it, vi } from "vitest";
import { put, until } from "../groups/support.ts";
import { endLater, http1, openRemote, startKinesalite } from "../remote/support.ts";
import { randomOf } from "./random.ts";
import {
  checkOrder,
  consume,
  drained,
  farStream,
  openEngine,
  remoteOf,
  stopLater,
} from "./support.ts";

const LIVES = 5;

type Request = { readonly headers: Record<string, string>; readonly body: unknown };

/** User records in a call of AWS's client. */
function recordsIn({ body }: Request): number {
  const text = typeof body === "string" ? body : new TextDecoder().decode(body as Uint8Array);
  const { Records } = JSON.parse(text) as {
    readonly Records: readonly { readonly Data: string }[];
  };
  return Records.reduce((sum, { Data }) => {
    return sum + (decodeAggregate(new Uint8Array(Buffer.from(Data, "base64")))?.length ?? 1);
  }, 0);
}

/** Sends to an engine as AWS's client does; loses answers by chance, and counts what they were for. */
function losing(there: Millrace, seed: number) {
  const random = randomOf(seed);
  const { requestHandler } = there.aws({ protocol: "json" });
  const unanswered = { records: 0, calls: 0 };
  const handle = async (request: Request, options: never) => {
    const isPut = request.headers["x-amz-target"]?.endsWith(".PutRecords") === true;
    const answer = await requestHandler.handle(request, options);
    if (!isPut || random.below(4) > 0) return answer;
    unanswered.records += recordsIn(request);
    unanswered.calls += 1;
    // The far side has it, and this side never hears of it.
    return await new Promise<never>(() => undefined);
  };
  return { unanswered, requestHandler: { ...requestHandler, handle } };
}

/** A stream of a remote whose calls may take so little time that some are late on a busy machine. */
async function foundWithin(remote: RemoteMillrace, name: string): Promise<RemoteStream> {
  return await vi.waitFor(() => remote.streams.get(name), { timeout: 20_000 });
}

describe("a replication whose engine is closed in the middle of it", () => {
  it("goes on from what was answered", async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-replication-"));
    endLater(() => rm(directory, { recursive: true, force: true }));
    const there = await openEngine();
    const { inside } = await farStream(there, "clicks", 3);
    let total = 0;
    let unanswered = 0;
    for (let life = 0; life < LIVES; life++) {
      const here = await open({ name: "near", storage: "file", directory });
      const local = await here.streams.ensure("clicks", { shards: 2 });
      // The engine's worker is no browser's, whose end is noticed at once.
      await local.group("to-far", { from: "TRIM_HORIZON", failoverMs: 500 });
      const chaos = losing(there, life + 1);
      const { requestHandler } = chaos;
      const remote = await remoteOf(there, { requestHandler, deadlineMs: 300 });
      const far = await foundWithin(remote, "clicks");
      const replication = await local.replicateTo(far, { name: "to-far" });
      await put(local, total, total + 1000);
      total += 1000;
      await until(async () => (await replication.status()).copiedRecords > 300);
      await put(local, total, total + 500);
      total += 500;
      await until(
        async () => chaos.unanswered.calls > 0 || (await replication.status()).lagRecords === 0,
      );
      await here.close();
      await expect(replication.finished).rejects.toBeInstanceOf(EngineClosedError);
      unanswered += chaos.unanswered.records;
    }
    const here = await open({ name: "near", storage: "file", directory });
    endLater(() => here.close());
    const local = await here.streams.get("clicks");
    const far = await (await remoteOf(there)).streams.get("clicks");
    const last = stopLater(await local.replicateTo(far, { name: "to-far" }));
    await drained(last);
    checkOrder(await consume(inside, total), 0, total);
    const stored = await consume(inside, total, { group: "keeps", repeats: "keep" });
    expect(stored.length).toBeGreaterThanOrEqual(total);
    // Between an answer and its checkpoint an engine may close, too: at most a call of each life.
    expect(stored.length - total).toBeLessThanOrEqual(unanswered + LIVES * 1000);
    expect(unanswered).toBeGreaterThan(0);
  });
});

/** Has a replication send all again from the beginning in the same runs, as if no checkpoint had been stored. */
async function forgetProgress(here: Millrace, stream: Stream, name: string): Promise<void> {
  const states = new Map<string, Parameters<Checkpointer["checkpoint"]>[0]>();
  const group = await stream.group(name);
  const leases = (await group.describe()).leases.length;
  const reading = group.start(
    () => ({
      initialize: ({ shardId, state }) => void states.set(shardId, { state }),
      processRecords: () => undefined,
    }),
    { checkpoints: "manual" },
  );
  await until(() => states.size === leases);
  await reading.stop();
  await (await here.groups.get(name)).delete();
  let written = 0;
  const writing = (await stream.group(name, { from: "TRIM_HORIZON" })).start(
    () => ({
      initialize: async ({ shardId, checkpointer }) => {
        await checkpointer.checkpoint(states.get(shardId));
        written += 1;
      },
      processRecords: () => undefined,
    }),
    { checkpoints: "manual" },
  );
  await until(() => written === leases);
  await writing.stop();
}

describe("repeats that consumers have seen before", () => {
  it("are dropped by whoever goes on from a checkpoint, over splits and merges of the shards", async () => {
    const [here, there] = [await openEngine(), await openEngine()];
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const { far, inside } = await farStream(there, "clicks", 2);
    const seen: string[] = [];
    const group = await inside.group("reader", { from: "TRIM_HORIZON" });
    const read = async (count: number): Promise<void> => {
      const worker = group.start(
        () => ({
          processRecords: ({ records }) => {
            seen.push(...records.map(({ data }) => new TextDecoder().decode(data)));
          },
        }),
        { workerId: "w" },
      );
      await until(() => seen.length >= count);
      await until(async () => {
        const { leases } = await group.describe();
        return leases.every(({ lagRecords }) => lagRecords === 0);
      });
      await worker.stop();
    };
    for (let round = 0; round < 4; round++) {
      const replication = await local.replicateTo(far, { name: "one" });
      await put(local, round * 200, round * 200 + 200);
      await drained(replication);
      await replication.stop();
      await read(round * 200 + 200);
      const [low, high] = (await inside.describe()).openShards;
      if (round % 2 === 0) await inside.split(low?.shardId ?? "");
      else await inside.merge(low?.shardId ?? "", high?.shardId ?? "");
      // All is sent again from the beginning.
      await forgetProgress(here, local, "one");
    }
    const replication = stopLater(await local.replicateTo(far, { name: "one" }));
    await drained(replication);
    await read(800);
    expect(seen.length).toBe(800);
    expect(new Set(seen).size).toBe(800);
  });

  it("are dropped by groups of a Kinesis elsewhere, too", async () => {
    const here = await openEngine();
    const local = await here.streams.ensure("clicks", { shards: 2 });
    const remote = await openRemote(await startKinesalite(), { requestHandler: http1() });
    const far = await remote.streams.ensure("clicks", { shards: 2 });
    const seen: string[] = [];
    let repeats = 0;
    const group = await far.group("reader", { from: "TRIM_HORIZON", leases: here });
    const read = async (count: number, dropped: number): Promise<void> => {
      const worker = group.start(() => ({
        processRecords: ({ records }) => {
          seen.push(...records.map(({ data }) => new TextDecoder().decode(data)));
        },
      }));
      worker.on("repeats-dropped", ({ records }) => {
        repeats += records;
      });
      await until(() => seen.length >= count && repeats >= dropped);
      await worker.stop();
    };
    for (let round = 0; round < 2; round++) {
      const replication = await local.replicateTo(far, { name: "one" });
      await put(local, round * 200, round * 200 + 200);
      await drained(replication);
      await replication.stop();
      // The second worker goes on from the first one's checkpoint, and finds the first 200 again.
      await read(round * 200 + 200, round * 200);
      await forgetProgress(here, local, "one");
    }
    expect(new Set(seen).size).toBe(400);
    expect(seen.length).toBe(400);
    expect(repeats).toBe(200);
  });
});
