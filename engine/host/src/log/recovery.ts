/**
 * Recovery: takes the lead of a log, then rebuilds everything from a scan of the store.
 *
 * Nothing in the store is believed unless its hash is right; what is damaged is reported and stepped over.
 */
import type { ShardLogCore } from "../core/core-types.ts";
import { hexOfBytes } from "../model/hex.ts";
import type { Clock, KeyVault, Random, Witnesses } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import { ClockGuard } from "./clock-guard.ts";
import {
  type ControlCopy,
  ControlCopyKeeper,
  decodeControlCopy,
  readNewestCopy,
} from "./control-copy.ts";
import type { ControlState } from "./control-state.ts";
import { encryptionOf, isDestroyed } from "./data-keys.ts";
import { EncryptedReplay } from "./encrypted-replay.ts";
import type { LogContext, LogLimits } from "./log-context.ts";
import type { LossReports } from "./loss-reports.ts";
import { keysFromWal, reportMissing } from "./missing-segments.ts";
import { RecordCipher } from "./record-cipher.ts";
import { type DirectoryScan, SegmentDirectory } from "./segment-directory.ts";
import { ShardSlots, type SlottedShard } from "./shard-slots.ts";
import { snapshotSections } from "./state-snapshot.ts";
import { StoreGuard } from "./store-guard.ts";
import { type Lead, takeLead } from "./takeover.ts";
import { WalLedger } from "./wal-ledger.ts";
import { WalScan } from "./wal-scan.ts";
import { readTestimony, type Testimony, WitnessKeeper } from "./witness.ts";

/** Sequence indexes that a shard may use up per millisecond of its life: a takeover jumps past them. */
const INDEXES_PER_MS = 4096;

/** What recovery needs. */
export interface RecoverySettings {
  /** Name of the engine. */
  readonly name: string;
  /** Where its witness is; without one, a log that comes back empty or older is not recognised. */
  readonly witnesses?: Witnesses | undefined;
  /** What the life before knew of the log, when its store was replaced; it then counts instead of the witness. */
  readonly testimony?: Testimony | undefined;
  readonly core: ShardLogCore;
  readonly store: LogStore;
  readonly clock: Clock;
  readonly random: Random;
  /** Where the data keys are; without one, what is encrypted cannot be read. */
  readonly vault?: KeyVault | undefined;
  readonly limits: LogLimits;
  /** Whether the write quotas of shards are enforced. */
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
  const { witnesses, name } = settings;
  const readCopy = async (): Promise<ControlCopy | undefined> =>
    decodeControlCopy(core, await readNewestCopy(witnesses, name));
  const scan = new WalScan(core, store, guard, wal, readCopy);
  const { control, losses } = scan;
  const lead = await becomeLeader(settings, scan, readCopy);
  // A successor's segments are none of ours: whoever was deposed meanwhile would delete them as garbage.
  const keys = (await store.segmentKeys()).filter(
    (key) => key[5] < lead.epoch || !store.recoverable,
  );
  for (const [shardUid] of keys) control.reserve(0, shardUid);
  let found = SegmentDirectory.scan(keys, control.shards());
  reportMissing(found, scan);
  const inWal = await keysFromWal({ core, store, wal }, found.missing);
  if (inWal.length > 0) {
    found = SegmentDirectory.scan([...keys, ...inWal], control.shards());
    found.directory.noteGone(inWal);
  }
  const slots = new ShardSlots(core, settings.writeQuotas);
  for (const stream of control.streams()) {
    slots.addStream(stream, (uid) => requireShard(control, uid));
  }
  const cipher = new RecordCipher(settings.vault, settings.random);
  const encrypted = new EncryptedReplay(cipher, control);
  await scan.replayRecords(slots, encrypted);
  wal.release(encrypted.released);
  rollClosed(core, control, slots);
  rollRekeyed(core, control, slots, cipher);
  raiseIndexes(core, control, slots, lead.passedMs);
  encrypted.raiseIndexes(slots, (slot, nextIndex) => core.raiseNextIndex(slot, nextIndex));
  await prepareKeys(control, cipher);
  await removeGarbage(store, found, control, losses);
  const clockGuard = new ClockGuard(clock, Math.max(scan.newestTimeMs, lead.witnessedMs));
  const { directory } = found;
  const { producers } = scan;
  const { epoch } = lead;
  const witness = witnessOf(settings, lead, wal, control);
  witness.write();
  const parts = { control, directory, producers, slots, wal, epoch, losses, guard, clockGuard };
  const controlCopy = new ControlCopyKeeper({
    ...{ engineName: name, clock, core, testify: () => witness.testify() },
    witnesses: store.recoverable ? witnesses : undefined,
    sections: (throughFrame) => snapshotSections({ core, clock, ...parts }, throughFrame),
  });
  controlCopy.writeSoon();
  return { core, store, clock, limits, cipher, witness, controlCopy, ...parts };
}

/** Takes the lead of the log. What does not outlive its process has no other leader. */
async function becomeLeader(
  settings: RecoverySettings,
  scan: WalScan,
  readCopy: () => Promise<ControlCopy | undefined>,
): Promise<Lead> {
  const { store, witnesses, name, clock, random } = settings;
  if (!store.recoverable) {
    const incarnation = hexOfBytes(random.fill(new Uint8Array(16)));
    return { epoch: 1, incarnation, passedMs: clock.nowMs(), witnessedMs: 0 };
  }
  // The control copy testifies, too, if only of what was when it was written.
  const witness =
    settings.testimony ?? (await readTestimony(witnesses, name)) ?? (await readCopy())?.testimony;
  const lead = await takeLead(settings, scan, witness);
  // Where the clock is behind, or a loss took what it would be held against.
  if (lead.anew || clock.nowMs() < lead.passedMs) {
    const seconds = Math.floor(lead.passedMs / 1000);
    scan.control.createAfter(Math.max(seconds, witness?.createdSeconds ?? 0));
  }
  return lead;
}

function witnessOf(
  { store, witnesses, name, clock }: RecoverySettings,
  { incarnation, epoch, passedMs }: Lead,
  wal: WalLedger,
  control: ControlState,
): WitnessKeeper {
  return new WitnessKeeper({
    ...{ engineName: name, clock, wal, control, incarnation, epoch, notBeforeMs: passedMs },
    witnesses: store.recoverable ? witnesses : undefined,
  });
}

/** Makes the data keys of all encrypted streams ready, so that no put ever waits for one. */
async function prepareKeys(control: ControlState, cipher: RecordCipher): Promise<void> {
  const dataKeyIds = [...control.streams()]
    .map(({ uid }) => encryptionOf(control, uid)?.dataKeyId ?? 0)
    .filter((dataKeyId) => dataKeyId !== 0 && !isDestroyed(control, dataKeyId));
  await Promise.all(dataKeyIds.map((dataKeyId) => cipher.prepare(dataKeyId)));
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

/**
 * When a shard took its first record at the earliest, in ms since the Unix epoch. Its creation in seconds
 * lies after that where a namesake of its stream was created within the same second.
 */
function beganMs(control: ControlState, { uid, streamUid, createdSeconds }: SlottedShard): number {
  const stream = control.stream(streamUid);
  const shard = stream?.shards.find((one) => one.uid === uid);
  const parent = stream?.shards.find(({ shardIndex }) => shardIndex === shard?.parentShardIndex);
  const first = shard?.parentShardIndex === undefined ? stream?.createdMs : parent?.closedMs;
  return Math.min(createdSeconds * 1000, first ?? Number.POSITIVE_INFINITY);
}

/** Raises every shard past all sequence indexes that an earlier leader can have given out. */
function raiseIndexes(
  core: ShardLogCore,
  control: ControlState,
  slots: ShardSlots,
  passedMs: number,
): void {
  for (const shard of slots.all()) {
    const state = requireShard(control, shard.uid);
    const age = Math.max(0, passedMs - beganMs(control, shard));
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

/** A segment whose records have another key than the stream has now gets no further record. */
function rollRekeyed(
  core: ShardLogCore,
  control: ControlState,
  slots: ShardSlots,
  cipher: RecordCipher,
): void {
  for (const { uid, slot, streamUid } of slots.all()) {
    const keyOfRecords = cipher.keyOfSegment(uid, core.position(slot).nextOrdinal - 1);
    if (keyOfRecords !== encryptionOf(control, streamUid)?.dataKeyId) core.roll(slot);
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
  losses: LossReports,
): Promise<void> {
  const damaged = losses.has("wal-frame");
  const keys = [
    ...(damaged ? [] : garbage),
    ...unknown.filter(([shardUid]) => control.wasDeleted(shardUid)),
  ];
  if (keys.length > 0) await store.deleteSegments(keys);
}
