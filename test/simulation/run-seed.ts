/** Runs one seed: draws the script, lets it happen, waits until all is quiet, and reads everything back. */

import { SeededRandom } from "../../engine/host/src/platform/seeded-random.ts";
import type {
  EngineService,
  StreamDescription,
} from "../../engine/host/src/service/engine-service.ts";
import { readSlice } from "../../engine/host/test/support/batches.ts";
import { drawScript, type Script } from "./fault-script.ts";
import { openAlone } from "./fleet.ts";
import { OUTPUT_STREAM } from "./group-history.ts";
import type { StoredRecord, StoredStream } from "./history.ts";
import { Machine } from "./machine.ts";
import { idOfData } from "./producer.ts";
import { Scheduler } from "./scheduler.ts";
import { Trace } from "./trace.ts";
import { Verdict } from "./violations.ts";
import { World } from "./world.ts";

/** After the last fault everything must be settled within ten minutes. */
const SETTLE_MS = 600_000;
/** What a scrub says of segments that a leader left behind when it died. */
const HARMLESS = "nothing is lost by it";
const EMPTY = new Uint8Array(0);
const RING_END = (1n << 128n) - 1n;

/** What came of a seed. */
export interface SeedReport {
  readonly seed: number;
  readonly script: Script;
  readonly hash: string;
  readonly violations: readonly string[];
  readonly tail: readonly string[];
  readonly tasks: number;
  readonly sent: number;
  readonly acked: number;
}

/** How a seed is run. */
export interface SeedOptions {
  /** Whether it has a consumer group in any case. */
  readonly grouped: boolean;
  /** Told every line of the trace. */
  readonly print: ((line: string) => void) | undefined;
}

/** Runs a seed. */
export async function runSeed(
  seed: number,
  module: WebAssembly.Module,
  { grouped, print }: SeedOptions,
): Promise<SeedReport> {
  const trace = new Trace(print);
  const verdict = new Verdict();
  const script = drawScript(new SeededRandom(seed * 2 + 1), grouped);
  const scheduler = new Scheduler(seed * 2, trace);
  const machine = new Machine(scheduler, verdict);
  const world = new World(machine, script, module);
  try {
    world.begin();
    await scheduler.runUntil(() => world.over, Number.MAX_SAFE_INTEGER);
    world.calmDown();
    const settled = await scheduler.runUntil(() => world.settled, scheduler.nowMs + SETTLE_MS);
    if (!settled) verdict.report("liveness", `not settled after ten minutes: ${world.pending}`);
    world.end();
    await audit(world, machine, module);
  } catch (error) {
    verdict.report("simulation", error instanceof Error ? (error.stack ?? "") : String(error));
  }
  return {
    ...{ seed, script, hash: trace.hash, tail: trace.tail, tasks: scheduler.ran },
    violations: verdict.violations.map(({ message }) => message),
    sent: world.history.sentCount,
    acked: world.history.ackedCount,
  };
}

/** Opens the log once more, on a machine where nothing fails, and checks all that it holds. */
async function audit(world: World, machine: Machine, module: WebAssembly.Module): Promise<void> {
  const { scheduler, verdict } = machine;
  const platform = machine.platform(machine.outside("auditor"), false);
  const endMs = scheduler.nowMs + SETTLE_MS;
  let done = false;
  const checked = openAlone(platform, module, true).then(async (service) => {
    const streams = await service.call("listStreams", {});
    const stored: StoredStream[] = [];
    for (const stream of streams) {
      checkRing(machine, stream);
      stored.push(await readStream(service, stream));
    }
    world.history.latestWallMs = Math.max(world.history.latestWallMs, machine.wallMs);
    const losses = await service.call("dataLoss", {});
    const { history } = world;
    if (!history.damaged && !machine.lostPower) {
      for (const { where, reason } of losses) verdict.report("damage", `${where}: ${reason}`);
    }
    history.audit(stored.filter(({ name }) => name !== OUTPUT_STREAM));
    world.consumers?.history.audit(stored);
    const { disk } = machine;
    history.checkSecrets(disk.frameNumbers().map((one) => disk.readFrame(one) ?? EMPTY));
    history.checkSecrets(disk.segmentKeys().map((key) => disk.readSegment(key) ?? EMPTY));
    const { damage } = await service.call("check", {});
    if (!history.damaged && !machine.lostPower) {
      for (const { where, reason } of damage) {
        if (!reason.includes(HARMLESS)) verdict.report("scrub", `${where}: ${reason}`);
      }
    }
    if (history.damaged && history.missing > 0 && world.fleet.lossesFound + losses.length === 0) {
      verdict.report("hidden", `${history.missing} records are gone, and nothing was reported`);
    }
  });
  checked.then(
    () => {
      done = true;
    },
    (error: unknown) => {
      done = true;
      verdict.report("audit", error instanceof Error ? (error.stack ?? "") : String(error));
    },
  );
  const ended = await scheduler.runUntil(() => done, endMs);
  if (!ended) verdict.report("liveness", "the log could not be opened and read at the end");
}

/** Open shards cover the ring, and no two of them share a hash key. */
function checkRing({ verdict }: Machine, { name, openShards }: StreamDescription): void {
  let next = 0n;
  const inOrder = openShards
    .map(({ startingHashKey, endingHashKey }) => [BigInt(startingHashKey), BigInt(endingHashKey)])
    .sort(([a = 0n], [b = 0n]) => (a < b ? -1 : 1));
  for (const [start = 0n, end = 0n] of inOrder) {
    if (start !== next) verdict.report("ring", `${name}: a shard begins at ${start}, not ${next}`);
    next = end + 1n;
  }
  if (next !== RING_END + 1n) verdict.report("ring", `${name}: the shards end at ${next - 1n}`);
}

async function readStream(
  service: EngineService,
  { name, uid, retentionHours }: StreamDescription,
): Promise<StoredStream> {
  const position = { type: "TRIM_HORIZON" } as const;
  const positions = await service.call("resolvePosition", { name, position });
  const ends = new Map(positions.map(({ shardIndex, endIndex }) => [shardIndex, endIndex]));
  const records: StoredRecord[] = [];
  const never = new AbortController().signal;
  let cursors = positions.map(({ shardIndex, nextIndex }) => ({ shardIndex, nextIndex }));
  while (cursors.length > 0) {
    const request = { streamUid: uid, cursors, recordsMax: 10_000, bytesMax: 8_388_608, waitMs: 0 };
    const parts = readSlice(await service.read(request, never));
    for (const part of parts) {
      for (const { shardIndex, index, key, arrivalMs, data } of part.records) {
        const place = { streamUid: uid, shardIndex, index };
        records.push({ ...place, key, arrivalMs, id: idOfData(data) });
      }
    }
    cursors = parts
      .filter(({ shardIndex, nextIndex }) => nextIndex < (ends.get(shardIndex) ?? 0))
      .map(({ shardIndex, nextIndex }) => ({ shardIndex, nextIndex }));
  }
  return { uid, name, retentionHours, records };
}
