/** Runs the site's replication to the far side. It goes on while the person looks at other places. */
import type { Millrace, Replication, ReplicationStatus, Stream } from "millrace";
import { describeError, type ShownError } from "../live/advice.ts";
import { formatMs } from "../live/format.ts";
import { type FarSide, farSide, type WayState } from "./far-side.ts";
import { type Arrivals, FarTally } from "./far-tally.ts";
import { numberedPuts } from "./numbered-put.ts";

/** The stream of the site's engine that is shipped. */
export const NEAR_STREAM = "sync-out";

const SHARDS = 2;
const PUT_MS = 250;
const EVENTS_MAX = 50;

/** Something that befell the replication. */
export interface SyncEvent {
  /** Milliseconds since the Unix epoch. */
  readonly atMs: number;
  readonly kind: string;
  readonly text: string;
}

/** All that the place shows. */
export interface SyncReading {
  readonly running: boolean;
  /** Whether records are being put. */
  readonly putting: boolean;
  /** Records that this page has put, durably. */
  readonly made: number;
  readonly way: WayState;
  /** Undefined before the first start. */
  readonly status: ReplicationStatus | undefined;
  readonly arrivals: Arrivals;
}

const desks = new WeakMap<Millrace, SyncDesk>();

/** See above. */
export class SyncDesk {
  readonly #millrace: Millrace;
  readonly #run = crypto.randomUUID();
  readonly #tally = new FarTally(this.#run);
  #far: FarSide | undefined;
  #near: Stream | undefined;
  #replication: Replication | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #perSecond = 20;
  #made = 0;
  #next = 0;
  #events: readonly SyncEvent[] = [];
  #error: ShownError | undefined;

  /** The desk of an open engine. */
  static of(millrace: Millrace): SyncDesk {
    const found = desks.get(millrace) ?? new SyncDesk(millrace);
    desks.set(millrace, found);
    return found;
  }

  private constructor(millrace: Millrace) {
    this.#millrace = millrace;
  }

  /** What befell the replication, the newest first. */
  get events(): readonly SyncEvent[] {
    return this.#events;
  }

  /** Why it ended by itself; undefined where it did not. */
  get error(): ShownError | undefined {
    return this.#error;
  }

  /** Records that are put in a second. */
  get perSecond(): number {
    return this.#perSecond;
  }

  set perSecond(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Reads all that the place shows. */
  async read(): Promise<SyncReading> {
    return {
      running: this.#replication?.closed === false,
      putting: this.#timer !== undefined,
      made: this.#made,
      way: this.#far?.way.state ?? "there",
      status: await this.#replication?.status(),
      arrivals: this.#tally.arrivals,
    };
  }

  /** Opens the far side, ships to it, and puts records. */
  async start(): Promise<void> {
    this.#error = undefined;
    if (this.#far === undefined) {
      const far = await farSide();
      await this.#tally.start(far.there);
      this.#far = far;
    }
    const { stream, way } = this.#far;
    this.#near ??= await this.#millrace.streams.ensure(NEAR_STREAM, { shards: SHARDS });
    const replication = await this.#near.replicateTo(stream, {
      // What is sent at the page's end would go to an address, and the page's policy lets it reach none.
      ...{ network: way, atPageEnd: false },
      // What was put before the first start is of no page that is still there.
      from: "LATEST",
    });
    this.#replication = replication;
    this.#listen(replication);
    replication.finished.catch((error: unknown) => this.#fail(error));
    this.put(true);
  }

  /** Puts no more records, and ships no more. */
  async stop(): Promise<void> {
    this.put(false);
    await this.#replication?.stop();
  }

  /** Begins to put records, or ends that. */
  put(on: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = on ? setTimeout(() => void this.#putSome(), PUT_MS) : undefined;
  }

  /** Ships nothing for a while, or goes on. */
  async hold(on: boolean): Promise<void> {
    if (on) await this.#replication?.pause();
    else this.#replication?.resume();
  }

  /** Makes the way to the far side another one. */
  setWay(state: WayState): void {
    this.#far?.way.become(state);
    this.#note("way", WAY_TEXTS[state]);
  }

  async #putSome(): Promise<void> {
    const timer = this.#timer;
    const count = Math.max(1, Math.round((this.#perSecond * PUT_MS) / 1000));
    const records = numberedPuts(this.#run, this.#next, count);
    this.#next += count;
    try {
      const result = await this.#near?.putRecords(records);
      this.#made += count - (result?.failedRecordCount ?? count);
    } catch (error) {
      this.#fail(error);
    }
    // Whoever ended it meanwhile is heeded.
    if (this.#timer === timer && timer !== undefined) this.put(true);
  }

  #listen(replication: Replication): void {
    replication.on("changed", ({ state }) => this.#note("changed", STATE_TEXTS[state]));
    replication.on("caught-up", () => this.#note("caught-up", "Everything is sent."));
    replication.on("failed", ({ error }) => this.#note("failed", `Paused: ${error.message}`));
    for (const kind of ["outage", "throttled"] as const) {
      replication.on(kind, ({ error, retryMs }) =>
        this.#note(kind, `${error.message}; again in ${formatMs(retryMs)}`),
      );
    }
  }

  #note(kind: string, text: string): void {
    // What happens again and again is told once.
    if (kind === "caught-up" && this.#events[0]?.kind === kind) return;
    this.#events = [{ atMs: Date.now(), kind, text }, ...this.#events].slice(0, EVENTS_MAX);
  }

  #fail(error: unknown): void {
    this.#error = describeError(error);
    this.put(false);
  }
}

/** What each state of the way is called. */
export const WAY_TEXTS: Readonly<Record<WayState, string>> = {
  there: "The network is there.",
  gone: "The network is gone.",
  faulty: "Of three calls one is lost, and one loses its answer.",
};

/** What each state of a replication is called. */
export const STATE_TEXTS: Readonly<Record<ReplicationStatus["state"], string>> = {
  starting: "Gets ready",
  running: "Ships",
  "waiting-offline": "Waits for the network",
  paused: "Paused",
  standby: "Another tab ships",
  stopped: "Stopped",
};
