/**
 * Takeover and recovery: puts a fence on the WAL, then rebuilds everything from a scan of the store.
 *
 * The fence is the guarantee that there is one writer: it is added at the next frame number under the
 * next epoch, and the leader serves only if the newest frame is then its own. Nothing in the store
 * is believed unless its hash is right; what is damaged is reported and stepped over.
 */
import {
  SECTION_CONTROL,
  SECTION_FENCE,
  SECTION_JOB_EPOCH,
  SECTION_PRODUCERS,
  SECTION_RECORDS,
  SECTION_SNAPSHOT,
} from "@millrace/core/layout";
import type { ShardLogCore } from "../core/core-types.ts";
import { DeposedError, FrameExistsError, UnsupportedFormatError } from "../errors/index.ts";
import type { Clock, Random } from "../platform/platform.ts";
import type { LogStore, SegmentKey } from "../storage/log-store.ts";
import { ControlState } from "./control-state.ts";
import type { DataLoss, LogContext, LogLimits } from "./log-context.ts";
import { patientRead } from "./patient-read.ts";
import { decodeResults, idOfBytes, ProducerTable } from "./producer-table.ts";
import {
  fenceSection,
  KNOWN_SECTIONS,
  readControl,
  readFence,
  readRuns,
  readSnapshot,
} from "./sections.ts";
import { SegmentDirectory } from "./segment-directory.ts";
import { ShardSlots } from "./shard-slots.ts";
import {
  type DamagedFrame,
  type DecodedFrame,
  decodeFrame,
  encodeFrame,
  type Section,
} from "./wal-frame.ts";
import { WalLedger } from "./wal-ledger.ts";

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

/** Rebuilds the log of a store and takes its lead. @throws DeposedError, UnsupportedFormatError, MillraceError. */
export async function recover(settings: RecoverySettings): Promise<LogContext> {
  const { core, store, clock, limits } = settings;
  const control = new ControlState();
  const producers = new ProducerTable();
  const wal = new WalLedger();
  const losses: DataLoss[] = [];
  const scan = new WalScan(core, store, control, producers, wal, losses);
  const epoch = store.recoverable ? await takeLead(settings, scan) : 1;
  const keys = await store.segmentKeys();
  const { directory, garbage, missing } = SegmentDirectory.scan(keys, control.shards());
  for (const { shardUid, ordinal } of missing) {
    losses.push({
      kind: "segment",
      where: `shard uid ${shardUid}, segment ${ordinal}`,
      reason: "it is declared but not in the store",
      recordCount: undefined,
    });
  }
  const slots = new ShardSlots(core, settings.writeQuotas);
  for (const stream of control.streams()) {
    slots.addStream(stream, (uid) => requireShard(control, uid));
  }
  await scan.replayRecords(slots);
  raiseIndexes(core, control, slots, clock.nowMs());
  await removeGarbage(store, garbage, losses);
  return { core, store, clock, limits, control, directory, producers, slots, wal, epoch, losses };
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

/** Adds the fence and reads the WAL up to it. Resolves with the new epoch. */
async function takeLead(settings: RecoverySettings, scan: WalScan): Promise<number> {
  const { core, store, clock, random } = settings;
  const leaderId = idOfBytes(random.fill(new Uint8Array(16)));
  for (let attempt = 0; attempt < FENCE_ATTEMPTS_MAX; attempt++) {
    const last = await scan.newestIntact();
    const epoch = last.epoch + 1;
    const frameNumber = last.newestNumber + 1;
    const incarnation = last.incarnation ?? leaderId;
    const frame = encodeFrame(
      core,
      { epoch, frameNumber, previousHash: last.hash, timeMs: clock.nowMs() },
      [fenceSection({ leaderId, incarnation })],
    );
    try {
      await store.appendFrame(frameNumber, frame.bytes, "strict");
    } catch (error) {
      if (error instanceof FrameExistsError) continue;
      throw error;
    }
    const newest = await store.lastFrameNumber();
    const stored = await store.readFrame(newest);
    if (newest !== frameNumber || stored === undefined || !sameBytes(stored, frame.bytes)) continue;
    await scan.readState();
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

/** Deletes what no manifest declares, unless damage might have hidden the manifest. */
async function removeGarbage(
  store: LogStore,
  garbage: readonly SegmentKey[],
  losses: readonly DataLoss[],
): Promise<void> {
  if (garbage.length === 0 || losses.some((loss) => loss.kind === "wal-frame")) return;
  await store.deleteSegments(garbage);
}

/** The newest frame that is intact, and the number of the newest frame at all. */
interface NewestFrame {
  readonly epoch: number;
  readonly hash: bigint;
  readonly newestNumber: number;
  readonly incarnation: string | undefined;
}

/** Reads the WAL in two passes: first the state, then the records that no segment holds. */
class WalScan {
  readonly #core: ShardLogCore;
  readonly #store: LogStore;
  readonly #control: ControlState;
  readonly #producers: ProducerTable;
  readonly #wal: WalLedger;
  readonly #losses: DataLoss[];
  #recordFrames: number[] = [];
  #snapshotFrame = 0;

  constructor(
    core: ShardLogCore,
    store: LogStore,
    control: ControlState,
    producers: ProducerTable,
    wal: WalLedger,
    losses: DataLoss[],
  ) {
    this.#core = core;
    this.#store = store;
    this.#control = control;
    this.#producers = producers;
    this.#wal = wal;
    this.#losses = losses;
  }

  /** Looks back from the end for a frame that verifies, and for the incarnation in a fence. */
  async newestIntact(): Promise<NewestFrame> {
    const numbers = await this.#store.frameNumbers();
    const newestNumber = numbers.at(-1) ?? 0;
    let newest: DecodedFrame | undefined;
    for (const frameNumber of numbers.toReversed()) {
      const frame = await this.#read(frameNumber);
      if ("damaged" in frame) continue;
      newest = frame;
      break;
    }
    const incarnation = await this.#incarnation(numbers);
    return { epoch: newest?.epoch ?? 0, hash: newest?.hash ?? 0n, newestNumber, incarnation };
  }

  /** Fences are never trimmed, so that the oldest frame is one unless it is damaged. */
  async #incarnation(numbers: readonly number[]): Promise<string | undefined> {
    for (const frameNumber of numbers) {
      const frame = await this.#read(frameNumber);
      if ("damaged" in frame) continue;
      const fence = frame.sections.find((section) => section.type === SECTION_FENCE);
      if (fence !== undefined) return readFence(fence).incarnation;
    }
    return undefined;
  }

  /** First pass: control records, snapshots, producers, and the ledger. */
  async readState(): Promise<void> {
    const damaged: { frameNumber: number; reason: string }[] = [];
    let expected = 0;
    for (const frameNumber of await this.#store.frameNumbers()) {
      if (expected !== 0 && frameNumber > expected) {
        damaged.push({ frameNumber: expected, reason: "it is missing" });
      }
      expected = frameNumber + 1;
      const frame = await this.#read(frameNumber);
      if ("damaged" in frame) {
        damaged.push({ frameNumber, reason: frame.damaged });
        this.#wal.add({ frameNumber, byteLength: 0, fence: false }, 0n);
        continue;
      }
      refuseUnknown(frame);
      const fence = frame.sections.some((section) => section.type === SECTION_FENCE);
      this.#wal.add({ frameNumber, byteLength: frame.byteLength, fence }, frame.hash);
      for (const section of frame.sections) this.#applySection(section, frameNumber);
    }
    this.#report(damaged);
  }

  /** Second pass: records of segments that are not declared go back into the core. */
  async replayRecords(slots: ShardSlots): Promise<void> {
    for (const frameNumber of this.#recordFrames) {
      const frame = await this.#read(frameNumber);
      if ("damaged" in frame) continue;
      for (const section of frame.sections) {
        if (section.type === SECTION_RECORDS) this.#replay(section, slots, frameNumber);
      }
    }
  }

  #replay(section: Section, slots: ShardSlots, frameNumber: number): void {
    for (const run of readRuns(section)) {
      const shard = slots.ofUid(run.shardUid);
      const state = this.#control.shard(run.shardUid);
      if (shard === undefined || state === undefined) continue;
      if (run.ordinal <= state.sealedThrough) continue;
      this.#core.replay(shard.slot, run.ordinal, run.frames, frameNumber);
    }
  }

  /** Damage before the newest snapshot costs nothing unless records of it were not sealed, and those are. */
  #report(damaged: readonly { frameNumber: number; reason: string }[]): void {
    for (const { frameNumber, reason } of damaged) {
      if (frameNumber < this.#snapshotFrame && reason === "it is missing") continue;
      this.#losses.push({
        kind: "wal-frame",
        where: `WAL frame ${frameNumber}`,
        reason,
        recordCount: undefined,
      });
    }
  }

  #applySection(section: Section, frameNumber: number): void {
    switch (section.type) {
      case SECTION_SNAPSHOT:
        this.#control.restore(readSnapshot(section));
        this.#producers.clear();
        this.#snapshotFrame = frameNumber;
        return;
      case SECTION_CONTROL:
        for (const record of readControl(section)) this.#control.apply(record);
        return;
      case SECTION_PRODUCERS:
        for (const result of decodeResults(section.payload)) this.#producers.add(result);
        return;
      case SECTION_RECORDS:
        if (this.#recordFrames.at(-1) !== frameNumber) this.#recordFrames.push(frameNumber);
        return;
      default:
        return;
    }
  }

  async #read(frameNumber: number): Promise<DecodedFrame | DamagedFrame> {
    const bytes = await patientRead(this.#store, () => this.#store.readFrame(frameNumber));
    if (bytes === undefined) return { damaged: "it is missing" };
    if ("unreadable" in bytes) return { damaged: bytes.unreadable };
    return decodeFrame(this.#core, bytes);
  }
}

/** Refuses to lead a log whose frames this build cannot keep the meaning of. */
function refuseUnknown(frame: DecodedFrame): void {
  if (frame.incompatibleFeatures !== 0) {
    throw new UnsupportedFormatError(
      `WAL frame ${frame.frameNumber} needs features (bits ${frame.incompatibleFeatures}) that this build does not have; open the log with a newer build`,
      { argument: "incompatibleFeatures", value: frame.incompatibleFeatures, limit: 0 },
    );
  }
  for (const section of frame.sections) {
    const foreign =
      (!KNOWN_SECTIONS.has(section.type) && section.critical) ||
      section.keyId !== 0 ||
      section.codec !== 0 ||
      section.type === SECTION_JOB_EPOCH;
    if (foreign) {
      throw new UnsupportedFormatError(
        `WAL frame ${frame.frameNumber} holds a section of type ${section.type} that this build cannot keep; open the log with a newer build`,
        { argument: "section.type", value: section.type, limit: [...KNOWN_SECTIONS].join(", ") },
      );
    }
  }
}
