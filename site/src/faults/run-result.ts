/** What a run is kept as when it is over. */
import type { EngineEvent } from "millrace";
import type { FaultId } from "./faults.ts";
import type { TallyReport } from "./tally.ts";
import type { Trace } from "./trace.ts";

/** An event that the engine told in a run. */
export interface ToldEvent {
  readonly kind: EngineEvent["kind"];
  readonly text: string;
}

/** What a run came to. */
export interface RunResult {
  readonly fault: FaultId;
  readonly heading: string;
  /** When it began: ms since the Unix epoch. */
  readonly beganMs: number;
  readonly times: number;
  readonly acknowledgedBefore: number;
  readonly acknowledgedAfter: number;
  /** The reading back from the oldest record on, after the run. */
  readonly readBack: TallyReport;
  /** The live reading, which went on through all of it. */
  readonly live: TallyReport;
  /** Longest time without an acknowledgement from the first fault on, in ms. */
  readonly outageMs: number;
  readonly told: readonly ToldEvent[];
  readonly trace: Trace;
  /** Whether the tab was out of sight for a while: browsers slow its timers down then. */
  readonly wasHidden: boolean;
}
