/**
 * Paints what moves on the ring: drops on their way from the hub to the rim, and around the rim one
 * paddle per stretch of hash keys, as long as what lately landed there.
 */
import { pointAt } from "../live/ring-geometry.ts";

/** Side of the square that the ring is drawn in; the SVG twin has the same. */
export const RING_SIZE = 440;

/** Radius of the middle of the arcs. */
export const ARC_RADIUS = 146;

/** Width of the arcs. */
export const ARC_WIDTH = 20;

const CENTRE = RING_SIZE / 2;
const HUB_RADIUS = 74;
const RIM_RADIUS = ARC_RADIUS - ARC_WIDTH / 2;
const PADDLE_RADIUS = ARC_RADIUS + ARC_WIDTH / 2 + 3;
const PADDLE_LENGTH = 36;
const PADDLES = 192;
const SPOKES = 12;

const FALL_MS = 520;
const REBOUND_MS = 420;
const DROPS_MAX = 500;
/** Time in which a paddle loses all but a third of its length. */
const DECAY_MS = 4000;
/** Records in a paddle from which it may be drawn at full length. */
const PEAK_MIN = 6;
/** A turn of the hub per this many records acknowledged. */
const RECORDS_PER_TURN = 2000;

/** One record to paint. */
export interface Drop {
  /** Share of the turn at which it lands. */
  readonly share: number;
  readonly shardIndex: number;
  readonly refused: boolean;
  /** Records that it stands for. */
  readonly weight: number;
  /** Delay before it leaves the hub, in ms. */
  readonly delayMs: number;
}

/** Colours as the canvas needs them: resolved for the theme that holds. */
export interface RingColours {
  /** By shard index. */
  readonly shards: ReadonlyMap<number, string>;
  readonly hot: string;
  readonly line: string;
}

interface FallingDrop extends Drop {
  readonly startMs: number;
  landed: boolean;
}

/** Paints one ring on one canvas. */
export class RingPainter {
  readonly #context: CanvasRenderingContext2D;
  readonly #heights = new Float64Array(PADDLES);
  readonly #owners = new Int32Array(PADDLES);
  #drops: FallingDrop[] = [];
  #colours: RingColours = { shards: new Map(), hot: "red", line: "gray" };
  #lastMs: number | undefined;
  #peak = PEAK_MIN;
  #turn = 0;

  constructor(context: CanvasRenderingContext2D) {
    this.#context = context;
  }

  /** Takes new colours. */
  set colours(colours: RingColours) {
    this.#colours = colours;
  }

  /** Whether nothing moves any more. */
  get atRest(): boolean {
    return this.#drops.length === 0 && this.#heights.every((height) => height < 0.05);
  }

  /** Lets a drop fall; when too many are on their way it lands unseen. `nowMs` is the frame's time. */
  add(drop: Drop, nowMs: number): void {
    if (this.#drops.length >= DROPS_MAX) this.#land(drop);
    else this.#drops.push({ ...drop, startMs: nowMs + drop.delayMs, landed: false });
  }

  /** Counts a record into its paddle without any motion. */
  addAtOnce(drop: Drop): void {
    this.#land(drop);
  }

  /** Paints the frame of this time; `pixels` is the side of the canvas in device pixels. */
  paint(nowMs: number, pixels: number): void {
    const elapsedMs = Math.min(nowMs - (this.#lastMs ?? nowMs), 1000);
    this.#lastMs = nowMs;
    const context = this.#context;
    const scale = pixels / RING_SIZE;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, RING_SIZE, RING_SIZE);
    this.#decay(elapsedMs);
    this.#paintHub();
    this.#paintPaddles();
    this.#paintDrops(nowMs);
  }

  #land(drop: Drop): void {
    if (drop.refused) return;
    const paddle = Math.floor(drop.share * PADDLES) % PADDLES;
    this.#heights[paddle] = (this.#heights[paddle] ?? 0) + drop.weight;
    this.#owners[paddle] = drop.shardIndex;
    this.#turn += drop.weight / RECORDS_PER_TURN;
  }

  #decay(elapsedMs: number): void {
    const keep = Math.exp(-elapsedMs / DECAY_MS);
    let highest = PEAK_MIN;
    for (let i = 0; i < PADDLES; i += 1) {
      const height = (this.#heights[i] ?? 0) * keep;
      this.#heights[i] = height;
      highest = Math.max(highest, height);
    }
    // The scale follows the highest paddle slowly, so that the picture does not jump.
    this.#peak += (highest - this.#peak) * Math.min(1, elapsedMs / 600);
  }

  #paintHub(): void {
    const context = this.#context;
    context.strokeStyle = this.#colours.line;
    context.lineWidth = 2;
    context.beginPath();
    for (let i = 0; i < SPOKES; i += 1) {
      const share = (i / SPOKES + this.#turn) % 1;
      const inner = pointAt(share, HUB_RADIUS - 8, CENTRE);
      const outer = pointAt(share, HUB_RADIUS, CENTRE);
      context.moveTo(inner.x, inner.y);
      context.lineTo(outer.x, outer.y);
    }
    context.stroke();
  }

  #paintPaddles(): void {
    const context = this.#context;
    context.lineWidth = ((2 * Math.PI * PADDLE_RADIUS) / PADDLES) * 0.62;
    for (let i = 0; i < PADDLES; i += 1) {
      const height = this.#heights[i] ?? 0;
      if (height < 0.05) continue;
      const share = (i + 0.5) / PADDLES;
      const length = 1.5 + PADDLE_LENGTH * Math.sqrt(Math.min(1, height / this.#peak));
      const foot = pointAt(share, PADDLE_RADIUS, CENTRE);
      const tip = pointAt(share, PADDLE_RADIUS + length, CENTRE);
      context.strokeStyle = this.#colourOf(this.#owners[i] ?? 0);
      context.beginPath();
      context.moveTo(foot.x, foot.y);
      context.lineTo(tip.x, tip.y);
      context.stroke();
    }
  }

  #paintDrops(nowMs: number): void {
    this.#drops = this.#drops.filter((drop) => {
      const ageMs = nowMs - drop.startMs;
      if (ageMs < 0) return true;
      if (ageMs >= FALL_MS && !drop.landed) {
        drop.landed = true;
        this.#land(drop);
      }
      if (ageMs >= FALL_MS + (drop.refused ? REBOUND_MS : 0)) return false;
      this.#paintDrop(drop, ageMs);
      return true;
    });
    this.#context.globalAlpha = 1;
  }

  #paintDrop(drop: FallingDrop, ageMs: number): void {
    const context = this.#context;
    const fall = Math.min(1, ageMs / FALL_MS);
    const rebound = Math.max(0, ageMs - FALL_MS) / REBOUND_MS;
    const way = fall * fall - 0.45 * rebound * (2 - rebound);
    const radius = HUB_RADIUS + (RIM_RADIUS - 3 - HUB_RADIUS) * way;
    const { x, y } = pointAt(drop.share, radius, CENTRE);
    context.globalAlpha = Math.min(1, fall * 4) * (1 - rebound);
    context.fillStyle = rebound > 0 ? this.#colours.hot : this.#colourOf(drop.shardIndex);
    context.beginPath();
    context.arc(x, y, rebound > 0 ? 3 : 2.4, 0, 2 * Math.PI);
    context.fill();
  }

  #colourOf(shardIndex: number): string {
    const { shards, line } = this.#colours;
    return shards.get(shardIndex) ?? line;
  }
}
