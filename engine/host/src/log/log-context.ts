/** The parts that the log's activities share: one owner of state each, no behaviour of its own. */
import type { ShardLogCore } from "../core/core-types.ts";
import type { Clock } from "../platform/platform.ts";
import type { LogStore } from "../storage/log-store.ts";
import type { ClockGuard } from "./clock-guard.ts";
import type { ControlCopyKeeper } from "./control-copy.ts";
import type { ControlState } from "./control-state.ts";
import type { LossReports } from "./loss-reports.ts";
import type { ProducerTable } from "./producer-table.ts";
import type { RecordCipher } from "./record-cipher.ts";
import type { SegmentDirectory } from "./segment-directory.ts";
import type { ShardSlots } from "./shard-slots.ts";
import type { StoreGuard } from "./store-guard.ts";
import type { WalLedger } from "./wal-ledger.ts";
import type { WitnessKeeper } from "./witness.ts";

/** Sizes by which the log decides when to write what. */
export interface LogLimits {
  /** Bytes of records at which a growing frame takes no further batch. */
  readonly frameBytesSoft: number;
  /** WAL size in bytes at which a checkpoint trims it. */
  readonly walBytesMax: number;
  /** Bytes in segments that are not in the store yet, beyond which appends wait. */
  readonly dirtyBytesMax: number;
}

/** Everything that an open log consists of. */
export interface LogContext {
  readonly core: ShardLogCore;
  readonly store: LogStore;
  readonly clock: Clock;
  readonly limits: LogLimits;
  readonly control: ControlState;
  readonly directory: SegmentDirectory;
  readonly producers: ProducerTable;
  readonly slots: ShardSlots;
  readonly wal: WalLedger;
  /** This leader's term. */
  readonly epoch: number;
  readonly losses: LossReports;
  readonly witness: WitnessKeeper;
  readonly controlCopy: ControlCopyKeeper;
  readonly guard: StoreGuard;
  readonly clockGuard: ClockGuard;
  readonly cipher: RecordCipher;
}
