/** What can be told of one life of an engine as a whole, and done to it as a whole. */
import { DATA_KEY_PREFIX, LAST_DATA_KEY } from "../log/data-keys.ts";
import type { ShardCounters } from "../metrics/shard-counters.ts";
import type { StorageKind } from "../platform/platform.ts";
import type { CallTrail } from "./call-trail.ts";
import type { EngineLife } from "./engine-life.ts";
import type { MemberStatus, ShardMetrics, StorageReport } from "./engine-service.ts";

/** Counters of a stream's shards, closed ones included. @throws ResourceNotFoundError. */
export function shardMetrics(
  { context: { catalogue } }: EngineLife,
  counters: ShardCounters,
  name: string,
): ShardMetrics[] {
  return catalogue.get(name).shards.map((shard) => ({
    shardIndex: shard.shardIndex,
    ...counters.of(shard.uid),
  }));
}

/** Where the engine's bytes are, and how it is doing. */
export async function storageReport(
  { log, store }: EngineLife,
  kind: StorageKind,
  trail: CallTrail,
): Promise<StorageReport> {
  const memory = log.core.memory();
  const usage = await store.usage();
  return {
    kind,
    durable: store.recoverable,
    ...usage,
    ...log.status(),
    coreMemoryBytes: memory.totalBytes,
    dirtyBytes: memory.dirtyBytes,
    cachedBytes: memory.cachedBytes,
    trailFailure: trail.failure,
    trailEventsLost: trail.lost,
  };
}

/** The part of an engine that no other context shares. @throws why the life's log has ended, if it has. */
export function aloneStatus({ log }: EngineLife): MemberStatus {
  if (log.failure !== undefined) throw log.failure;
  const { epoch } = log.status();
  const nobody = { memberId: "", leaderId: undefined, why: undefined };
  return { role: "alone", epoch, transport: "local", members: 1, ...nobody };
}

/** Deletes all streams and all documents but those under the keys to keep, in one change. */
export async function resetEverything(
  { groups, log, context: { catalogue, documents, keys } }: EngineLife,
  kept: readonly string[],
  forget: () => void,
): Promise<void> {
  // Data keys are forgotten once the vault does not have them any more.
  const isKept = (key: string): boolean =>
    kept.includes(key) || key === LAST_DATA_KEY || key.startsWith(DATA_KEY_PREFIX);
  await catalogue.exclusively(() =>
    groups.duringAll(async () => {
      forget();
      const gone = documents.keys("").filter((key) => !isKept(key));
      const records = [
        ...gone.map((key) => documents.deleting(key)),
        ...catalogue.list().map(({ uid }) => ({ kind: "stream-deleted", streamUid: uid }) as const),
      ];
      if (records.length > 0) await log.change(records);
    }),
  );
  if (keys.ofStreams.list().length > 0) await keys.sweep();
}
