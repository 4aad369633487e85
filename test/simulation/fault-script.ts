/** What goes wrong in a run, drawn from its seed: which faults, when, how hard. */
import type { SeededRandom } from "../../engine/host/src/platform/seeded-random.ts";
import { drawGroup, type GroupScript } from "./group-script.ts";

/** One fault; times are virtual ms from the start of the workload. */
export type FaultEvent =
  /** A worker dies. */
  | { readonly kind: "crash"; readonly atMs: number }
  /** The leader ends in order. */
  | { readonly kind: "close"; readonly atMs: number }
  /** Another worker steals the lock and leads; the old one goes on until it notices. */
  | { readonly kind: "takeover"; readonly atMs: number }
  /** A worker stands still. */
  | { readonly kind: "freeze"; readonly atMs: number; readonly forMs: number }
  /** A worker stands still while the machine sleeps and the others seal and trim. */
  | { readonly kind: "zombie"; readonly atMs: number }
  /** A candidate stands still in the middle of its recovery while the leader seals and trims. */
  | { readonly kind: "slow-candidate"; readonly atMs: number }
  /** The whole machine loses power, and starts again. */
  | { readonly kind: "power-cut"; readonly atMs: number }
  /** The machine sleeps: its clocks go on. */
  | { readonly kind: "sleep"; readonly atMs: number; readonly forMs: number }
  /** The wall clock jumps. */
  | { readonly kind: "wall-jump"; readonly atMs: number; readonly byMs: number }
  /** The disk is full for a while. */
  | {
      readonly kind: "full";
      readonly atMs: number;
      readonly forMs: number;
      readonly roomBytes: number;
    }
  /** Calls of stores fail for a while, in every way. */
  | {
      readonly kind: "bad-store";
      readonly atMs: number;
      readonly forMs: number;
      readonly oneIn: number;
    }
  /** Segments are written with flipped bits for a while. */
  | { readonly kind: "bad-segments"; readonly atMs: number; readonly forMs: number }
  /** Messages are dropped, repeated and reordered for a while. */
  | { readonly kind: "bad-messages"; readonly atMs: number; readonly forMs: number }
  /** A page ends, with its worker. */
  | { readonly kind: "page-ends"; readonly atMs: number }
  /** A page begins. */
  | { readonly kind: "page-begins"; readonly atMs: number }
  | { readonly kind: "reshard"; readonly atMs: number }
  | { readonly kind: "replace-stream"; readonly atMs: number }
  | { readonly kind: "encrypt"; readonly atMs: number }
  /** Bytes of the log are damaged where they lie. */
  | { readonly kind: "damage"; readonly atMs: number };

/** Everything that a seed decides before the run. */
export interface Script {
  readonly durationMs: number;
  /** How contexts share the engine: see the fleets. */
  readonly sharing: "alone" | "brokered" | "relayed";
  readonly pages: number;
  readonly streams: number;
  /** Whether one of two streams drops its oldest records when the store is full. */
  readonly dropsOldest: boolean;
  /** Whether some streams are relaxed. */
  readonly relaxed: boolean;
  readonly recordBytesMax: number;
  readonly windowBatches: number;
  readonly pauseMs: number;
  /** Whether loss is allowed and must be reported. */
  readonly damages: boolean;
  readonly events: readonly FaultEvent[];
  /** Absent where nobody reads as a group. */
  readonly group: GroupScript | undefined;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** A little more than the age at which the WAL is trimmed. */
const CHECKPOINT_MS = 305_000;

type Draw = (random: SeededRandom, atMs: number) => FaultEvent;

/** Faults with how often they are drawn. */
const FAULTS: readonly (readonly [weight: number, draw: Draw])[] = [
  [6, (_, atMs) => ({ kind: "crash", atMs })],
  [3, (_, atMs) => ({ kind: "close", atMs })],
  [6, (_, atMs) => ({ kind: "takeover", atMs })],
  [4, (random, atMs) => ({ kind: "freeze", atMs, forMs: 10 + random.below(8000) })],
  [3, (_, atMs) => ({ kind: "zombie", atMs })],
  [3, (_, atMs) => ({ kind: "slow-candidate", atMs })],
  [3, (_, atMs) => ({ kind: "power-cut", atMs })],
  [4, (_, atMs) => ({ kind: "sleep", atMs, forMs: CHECKPOINT_MS })],
  [1, (random, atMs) => ({ kind: "sleep", atMs, forMs: (1 + random.below(30)) * HOUR_MS })],
  [2, (random, atMs) => ({ kind: "wall-jump", atMs, byMs: (random.below(8) - 4) * MINUTE_MS })],
  [2, (random, atMs) => ({ kind: "wall-jump", atMs, byMs: (random.below(48) - 36) * HOUR_MS })],
  [
    3,
    (random, atMs) => ({
      ...{ kind: "full", atMs, forMs: 100 + random.below(2000) },
      roomBytes: random.below(8192),
    }),
  ],
  [
    6,
    (random, atMs) => ({
      ...{ kind: "bad-store", atMs, forMs: 100 + random.below(3000) },
      oneIn: 4 + random.below(40),
    }),
  ],
  [2, (random, atMs) => ({ kind: "bad-segments", atMs, forMs: 500 + random.below(4000) })],
  [3, (random, atMs) => ({ kind: "bad-messages", atMs, forMs: 100 + random.below(2000) })],
  [3, (_, atMs) => ({ kind: "page-ends", atMs })],
  [3, (_, atMs) => ({ kind: "page-begins", atMs })],
  [6, (_, atMs) => ({ kind: "reshard", atMs })],
  [1, (_, atMs) => ({ kind: "replace-stream", atMs })],
  [2, (_, atMs) => ({ kind: "encrypt", atMs })],
];

function drawFault(random: SeededRandom, atMs: number): FaultEvent {
  const total = FAULTS.reduce((sum, [weight]) => sum + weight, 0);
  let left = random.below(total);
  for (const [weight, draw] of FAULTS) {
    left -= weight;
    if (left < 0) return draw(random, atMs);
  }
  return { kind: "crash", atMs };
}

const SHARING = ["alone", "alone", "alone", "brokered", "brokered", "relayed"] as const;

/** Draws the script of a seed. `grouped` gives it a consumer group in any case. */
export function drawScript(random: SeededRandom, grouped: boolean): Script {
  const durationMs = 700 + random.below(2100);
  const damages = random.below(12) === 0;
  const events: FaultEvent[] = [];
  for (let left = 2 + random.below(7); left > 0; left -= 1) {
    events.push(drawFault(random, random.below(durationMs)));
  }
  if (damages) events.push({ kind: "damage", atMs: random.below(durationMs) });
  events.sort((a, b) => a.atMs - b.atMs);
  const script = {
    ...{ durationMs, damages, events },
    sharing: SHARING[random.below(SHARING.length)] ?? "alone",
    pages: 1 + random.below(3),
    streams: 1 + random.below(2),
    relaxed: random.below(3) === 0,
    dropsOldest: random.below(4) === 0,
    recordBytesMax: random.below(4) === 0 ? 12_000 : 40 + random.below(400),
    windowBatches: 1 + random.below(8),
    pauseMs: 25 + random.below(70),
  };
  return { ...script, group: drawGroup(random, script, grouped) };
}
