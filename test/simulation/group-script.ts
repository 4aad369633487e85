/** What a seed decides about its consumer group: how it works, and what befalls its workers. */
import type { SeededRandom } from "../../engine/host/src/platform/seeded-random.ts";

/** One event in the life of a group; times are virtual ms from the start of the workload. */
export type GroupEvent =
  /** A worker begins, in a page of its own or in one that puts. */
  | { readonly kind: "worker-begins"; readonly atMs: number }
  /** A worker is stopped, with or without patience. */
  | { readonly kind: "worker-stops"; readonly atMs: number; readonly graceful: boolean }
  /** The page of a worker stands still, in mid-batch or not. */
  | { readonly kind: "worker-freezes"; readonly atMs: number; readonly forMs: number }
  /** The page of a worker ends; the worker comes back under its name after `returnMs`, or never. */
  | {
      readonly kind: "worker-dies";
      readonly atMs: number;
      readonly returnMs: number | undefined;
    }
  | { readonly kind: "reshard"; readonly atMs: number };

/** A group and its events. */
export interface GroupScript {
  /**
   * "copy": every batch is put into another stream in one epoch with its checkpoint; "note": batches are only
   * looked at, and the workers checkpoint by themselves.
   */
  readonly kind: "copy" | "note";
  /** Which of the streams it reads. */
  readonly stream: number;
  readonly workers: number;
  readonly failoverMs: number;
  readonly handOverMs: number;
  /** Longest work on one batch, in ms. */
  readonly workMsMax: number;
  readonly batchRecordsMax: number;
  readonly events: readonly GroupEvent[];
}

/** One seed in so many has a group: runs with one take twice as long. */
const ONE_IN = 10;

type Draw = (random: SeededRandom, atMs: number) => GroupEvent;

const EVENTS: readonly Draw[] = [
  (_, atMs) => ({ kind: "worker-begins", atMs }),
  (_, atMs) => ({ kind: "worker-begins", atMs }),
  (random, atMs) => ({ kind: "worker-stops", atMs, graceful: random.below(2) === 0 }),
  (random, atMs) => ({ kind: "worker-freezes", atMs, forMs: 100 + random.below(3000) }),
  (random, atMs) => ({ kind: "worker-freezes", atMs, forMs: 100 + random.below(3000) }),
  (_, atMs) => ({ kind: "worker-dies", atMs, returnMs: undefined }),
  (random, atMs) => ({ kind: "worker-dies", atMs, returnMs: random.below(400) }),
  (_, atMs) => ({ kind: "reshard", atMs }),
  (_, atMs) => ({ kind: "reshard", atMs }),
];

function drawEvents(random: SeededRandom, durationMs: number): GroupEvent[] {
  const events: GroupEvent[] = [];
  for (let left = 2 + random.below(6); left > 0; left -= 1) {
    const draw = EVENTS[random.below(EVENTS.length)];
    if (draw !== undefined) events.push(draw(random, random.below(durationMs)));
  }
  return events;
}

/** Draws the group of a seed; undefined for most of them, unless all are to have one. */
export function drawGroup(
  random: SeededRandom,
  { durationMs, streams }: { readonly durationMs: number; readonly streams: number },
  always: boolean,
): GroupScript | undefined {
  if (random.below(ONE_IN) !== 0 && !always) return undefined;
  return {
    kind: random.below(4) === 0 ? "note" : "copy",
    stream: random.below(streams),
    workers: 1 + random.below(3),
    failoverMs: 500 + random.below(1000),
    handOverMs: random.below(1000),
    workMsMax: random.below(2) === 0 ? 4 : 250,
    batchRecordsMax: 1 + random.below(20),
    events: drawEvents(random, durationMs),
  };
}
