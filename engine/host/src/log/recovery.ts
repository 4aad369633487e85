/**
 * Takeover and recovery: puts a fence on the WAL, then rebuilds everything from a scan of the store.
 *
 * The fence is the guarantee that there is one writer: it is added at the next frame number under the
 * next epoch, and the leader serves only if the newest frame is then its own. Nothing in the store
 * is believed unless its hash is right; what is damaged is reported and stepped over.
 */
import type { ShardLogCore } from "../core/core-types.ts";
import { DeposedError, FrameExistsError } from "../errors/index.ts";
import type { Clock, Random } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import { ClockGuard } from "./clock-guard.ts";
import type { ControlState } from "./control-state.ts";
import type { DataLoss, LogContext, LogLimits } from "./log-context.ts";
import { idOfBytes } from "./producer-table.ts";
import { fenceSection } from "./sections.ts";
import { type DirectoryScan, SegmentDirectory } from "./segment-directory.ts";
import { ShardSlots } from "./shard-slots.ts";
import { StoreGuard } from "./store-guard.ts";
import { encodeFrame } from "./wal-frame.ts";
import { WalLedger } from "./wal-ledger.ts";
import { WalScan } from "./wal-scan.ts";

/** Sequence indexes that a shard may use up per millisecond of its life: a takeover jumps past them. */
const INDEXES_PER_MS = 4096;
/** Candidates may keep each other from the next frame number this often. */
const FENCE_ATTEMPTS_MAX = 16;

/** What recovery needs. */
export interface RecoverySettings {
  readonly core: ShardLogCore;
  readonly store: LogStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: LogLimits;
  readonly writeQuotas: boolean;
}

/**
 * Rebuilds the log of a store and takes its lead.
 *
 * @throws DeposedError when other leaders keep taking over.
 * @throws UnsupportedFormatError when the log was written by a newer build; nothing was written then.
 * @throws InvalidArgumentError when the memory budget is too small for what the WAL holds.
 * @throws MillraceError when the store fails.
 */
export async function recover(settings: RecoverySettings): Promise<LogContext> {
  const { core, store, clock, limits } = settings;
  const wal = new WalLedger();
  const guard = new StoreGuard(store, wal);
  const scan = new WalScan(core, store, guard, wal);
  const { control, losses } = scan;
  const { lossAtOpening } = store;
  if (lossAtOpening !== undefined) {
    losses.push({
      kind: "log",
      where: "the whole log",
      reason: lossAtOpening,
      recordCount: undefined,
    });
  }
  const epoch = store.recoverable ? await takeLead(settings, scan) : 1;
  const keys = await store.segmentKeys();
  for (const [shardUid] of keys) control.reserve(0, shardUid);
  const found = SegmentDirectory.scan(keys, control.shards());
  reportMissing(found, control, losses);
  const slots = new ShardSlots(core, settings.writeQuotas);
  for (const stream of control.streams()) {
    slots.addStream(stream, (uid) => requireShard(control, uid));
  }
  await scan.replayRecords(slots);
  rollClosed(core, control, slots);
  raiseIndexes(core, control, slots, clock.nowMs());
  await removeGarbage(store, found, control, losses);
  const clockGuard = new ClockGuard(clock, scan.newestTimeMs);
  const { directory } = found;
  const { producers } = scan;
  const parts = { control, directory, producers, slots, wal, epoch, losses, guard, clockGuard };
  return { core, store, clock, limits, ...parts };
}

function reportMissing(found: DirectoryScan, control: ControlState, losses: DataLoss[]): void {
  for (const { shardUid, ordinal } of found.missing) {
    losses.push({
      kind: "segment",
      where: `shard uid ${shardUid}, segment ${ordinal}`,
      reason: "it is declared but not in the store",
      recordCount: undefined,
    });
  }
  const orphans = new Set(found.unknown.map(([shardUid]) => shardUid));
  for (const shardUid of orphans) {
    if (control.wasDeleted(shardUid)) continue;
    losses.push({
      kind: "segment",
      where: `shard uid ${shardUid}`,
      reason: "the store holds segments of a shard that the log no longer knows; they are kept",
      recordCount: undefined,
    });
  }
}

/** A shard that a stream definition names. @throws Error when the control state lacks it, a defect of the engine. */
export function requireShard(
  control: ControlState,
  uid: number,
): NonNullable<ReturnType<ControlState["shard"]>> {
  const shard = control.shard(uid);
  if (shard === undefined) throw new Error(`the control state lacks shard uid ${uid}`);
  return shard;
}

/** Reads the WAL to its end and adds the fence behind it. Resolves with the new epoch. */
async function takeLead(settings: RecoverySettings, scan: WalScan): Promise<number> {
  const { core, store, clock, random } = settings;
  const leaderId = idOfBytes(random.fill(new Uint8Array(16)));
  const hadSegments = (await store.segmentKeys()).reduce(
    (epoch, key) => Math.max(epoch, key[5]),
    0,
  );
  for (let attempt = 0; attempt < FENCE_ATTEMPTS_MAX; attempt++) {
    await scan.readOn();
    if (attempt === 0) scan.reportBeginning(hadSegments > 0);
    const epoch = Math.max(scan.newestEpoch, hadSegments) + 1 + scan.damagedAtEnd;
    const { frameNumber, previousHash } = scan.next;
    const incarnation = scan.incarnation ?? leaderId;
    const frame = encodeFrame(core, { epoch, frameNumber, previousHash, timeMs: clock.nowMs() }, [
      fenceSection({ leaderId, incarnation }),
    ]);
    try {
      await store.appendFrame(frameNumber, frame.bytes, "strict");
    } catch (error) {
      if (error instanceof FrameExistsError) continue;
      throw error;
    }
    const newest = await store.lastFrameNumber();
    const stored = await store.readFrame(newest);
    if (newest !== frameNumber || stored === undefined || !sameBytes(stored, frame.bytes)) continue;
    await scan.readOn();
    return epoch;
  }
  throw new DeposedError("other leaders keep taking over this engine's log", {
    argument: "attempts",
    value: FENCE_ATTEMPTS_MAX,
    retryable: true,
  });
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i]);
}

/** Raises every shard past all sequence indexes that an earlier leader can have given out. */
function raiseIndexes(
  core: ShardLogCore,
  control: ControlState,
  slots: ShardSlots,
  nowMs: number,
): void {
  for (const shard of slots.all()) {
    const state = requireShard(control, shard.uid);
    const age = Math.max(0, nowMs - state.createdSeconds * 1000);
    const byClock = Math.floor(age) * INDEXES_PER_MS;
    const next = Math.max(state.nextIndexFloor, state.trimmedBefore, byClock);
    core.raiseNextIndex(shard.slot, next);
  }
}

/** A closed shard's segment gets no further record. */
function rollClosed(core: ShardLogCore, control: ControlState, slots: ShardSlots): void {
  for (const shard of slots.all()) {
    if (control.shard(shard.uid)?.closedMs !== undefined) core.roll(shard.slot);
  }
}

/**
 * Deletes what no manifest declares, unless damage might have hidden the manifest, and what is left of
 * deleted streams. Segments of shards that nobody knows stay.
 */
async function removeGarbage(
  store: LogStore,
  { garbage, unknown }: DirectoryScan,
  control: ControlState,
  losses: readonly DataLoss[],
): Promise<void> {
  const damaged = losses.some((loss) => loss.kind === "wal-frame");
  const keys = [
    ...(damaged ? [] : garbage),
    ...unknown.filter(([shardUid]) => control.wasDeleted(shardUid)),
  ];
  if (keys.length > 0) await store.deleteSegments(keys);
}
