/** Reads records of a stream for the list: page by page on demand, or live until it is stopped. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { RecordBatch, Stream } from "millrace";
import { describeError, type ShownError } from "../live/advice.ts";
import type { RecordsAddress } from "../places/address.ts";
import { BatchRows } from "../records/batch-rows.ts";
import { positionKey, readFrom } from "../records/position.ts";
import { ROWS_MAX } from "../records/row-window.ts";
import type { RecordRow } from "../records/rows.ts";
import { shardIdOf } from "../streams/samples.ts";

/** Records of one page. */
export const PAGE_RECORDS = 500;

/** How long a page waits for records that are not there yet, in ms. */
const PATIENCE_MS = 1500;

/** The same where the last answer had reached the newest record. */
const PATIENCE_AT_END_MS = 300;

/** Pause between two live reads, in ms: a shard grants five reads a second to all of its readers. */
const TAIL_PAUSE_MS = 700;

/** What the controller is doing. */
export type ReadingPhase = "idle" | "reading" | "tailing";

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One reading at a time over one stream; stops with its host. */
export class RecordsController implements ReactiveController {
  readonly #host: ReactiveControllerHost;
  #rows: readonly RecordRow[] = [];
  #held: readonly RecordRow[] = [];
  #total = 0;
  #phase: ReadingPhase = "idle";
  #paused = false;
  #error: ShownError | undefined;
  #caughtUp = false;
  /** Whether the last answer reached the newest record there was then. */
  #reachedEnd = false;
  #ended = false;
  #position = "";
  #stop = new AbortController();
  #reader: AsyncIterator<RecordBatch, undefined> | undefined;
  #asked: Promise<void> | undefined;
  #batch: BatchRows | undefined;
  /** Counts what the person asked for, so that a loop sees that something else was asked since. */
  #turn = 0;

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  /** The records that were fetched and are shown; another array whenever they change. */
  get rows(): readonly RecordRow[] {
    return this.#rows;
  }

  /** Records shown since the reading began; more than {@link rows} when the oldest were let go. */
  get total(): number {
    return this.#total;
  }

  /** Records that came while the list is paused. */
  get held(): number {
    return this.#held.length;
  }

  /** What is under way. */
  get phase(): ReadingPhase {
    return this.#phase;
  }

  /** Whether a live reading shows nothing new for now. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Whether the last read reached the newest record. */
  get caughtUp(): boolean {
    return this.#caughtUp;
  }

  /** Whether the shard that is read is closed and was read to its end. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Why the reading failed; undefined when it did not. */
  get error(): ShownError | undefined {
    return this.#error;
  }

  hostConnected(): void {}

  hostDisconnected(): void {
    this.close();
  }

  /** Whether the reading is the one of an address, so that the next page goes on with it. */
  isAt(address: RecordsAddress): boolean {
    return this.#position === positionKey(address) && this.#error === undefined;
  }

  /** Fetches a page: the next one, or the first of another position. Never rejects. */
  async readPage(stream: Stream, address: RecordsAddress): Promise<void> {
    const turn = this.#begin(stream, address, "reading");
    await this.#guard(turn, async () => {
      let missing = PAGE_RECORDS;
      while (missing > 0 && (await this.#fill(turn, this.#patienceMs(missing)))) {
        missing -= this.#show(missing);
      }
    });
    if (turn === this.#turn) this.#settle();
  }

  /** Fetches what comes until it is stopped. Never rejects. */
  async tail(stream: Stream, address: RecordsAddress): Promise<void> {
    const turn = this.#begin(stream, address, "tailing");
    await this.#guard(turn, async () => {
      while (await this.#fill(turn)) {
        this.#show(PAGE_RECORDS);
        if (this.#batch === undefined) await pause(TAIL_PAUSE_MS);
      }
    });
    if (turn === this.#turn) this.stop();
  }

  /** Ends a live reading; what was fetched stays, and the next page goes on there. */
  stop(): void {
    this.#turn += 1;
    this.#paused = false;
    this.#release();
    this.#settle();
  }

  /** Holds new records back from the list, or shows those that were held. */
  togglePause(): void {
    this.#paused = !this.#paused;
    if (!this.#paused) this.#release();
    this.#host.requestUpdate();
  }

  /** Ends the reading for good, and cancels the read that is under way. */
  close(): void {
    this.#turn += 1;
    this.#stop.abort();
    this.#position = "";
    this.#reader = undefined;
    this.#asked = undefined;
    this.#batch = undefined;
    this.#phase = "idle";
  }

  #begin(stream: Stream, address: RecordsAddress, phase: ReadingPhase): number {
    this.#paused = false;
    this.#release();
    if (!this.isAt(address)) this.#open(stream, address);
    // A batch that came since the last turn says nothing of what has come after it.
    if (this.#batch !== undefined) this.#caughtUp = false;
    this.#turn += 1;
    this.#phase = phase;
    this.#host.requestUpdate();
    return this.#turn;
  }

  #open(stream: Stream, address: RecordsAddress): void {
    this.close();
    this.#stop = new AbortController();
    this.#position = positionKey(address);
    this.#rows = [];
    this.#held = [];
    this.#total = 0;
    this.#ended = false;
    this.#caughtUp = false;
    this.#reachedEnd = false;
    this.#error = undefined;
    const { shardIndex } = address;
    const shard = shardIndex === undefined ? {} : { shard: shardIdOf(shardIndex) };
    try {
      const { signal } = this.#stop;
      const from = readFrom(address);
      this.#reader = stream.readBatches({ from, until: "live", signal, ...shard });
    } catch (error) {
      this.#error = describeError(error);
    }
  }

  /** A page that has records ends at the newest one; an empty one waits a little for the first. */
  #patienceMs(missing: number): number {
    if (!this.#reachedEnd) return PATIENCE_MS;
    return this.#caughtUp && missing < PAGE_RECORDS ? 0 : PATIENCE_AT_END_MS;
  }

  /** Has a batch at hand; false when none came in time, the shard has ended, or the turn is over. */
  async #fill(turn: number, patienceMs?: number): Promise<boolean> {
    if (this.#batch === undefined && this.#reader !== undefined && !this.#ended) {
      this.#asked ??= this.#ask(this.#reader);
      const { signal } = this.#stop;
      if (patienceMs === undefined) await this.#asked;
      else await Promise.race([this.#asked, pause(patienceMs)]);
      if (signal.aborted || turn !== this.#turn) return false;
      if (this.#batch === undefined) {
        this.#reachedEnd = true;
        this.#caughtUp = true;
      }
    }
    return turn === this.#turn && this.#batch !== undefined;
  }

  #ask(reader: AsyncIterator<RecordBatch, undefined>): Promise<void> {
    const turn = this.#turn;
    const asked = reader.next().then(
      (result) => {
        if (reader !== this.#reader) return;
        this.#receive(result);
        // Nor does an answer that was asked for in an earlier turn.
        if (turn !== this.#turn) this.#caughtUp = false;
      },
      (error: unknown) => {
        if (reader === this.#reader) this.#asked = undefined;
        throw error;
      },
    );
    // Whoever waits hears of it; a reading that nobody waits for may end as it likes.
    asked.catch(() => undefined);
    return asked;
  }

  #receive(result: IteratorResult<RecordBatch, undefined>): void {
    this.#asked = undefined;
    if (result.done === true) {
      this.#ended = true;
      return;
    }
    const { shards } = result.value;
    this.#reachedEnd = shards.every(({ atEnd, shardClosed }) => atEnd && !shardClosed);
    this.#caughtUp = this.#reachedEnd;
    this.#batch = new BatchRows(result.value);
  }

  /** Shows records of the batch at hand, at most so many; returns how many it were. */
  #show(count: number): number {
    const rows = this.#batch?.take(count) ?? [];
    if (this.#batch?.done === true) this.#batch = undefined;
    if (this.#paused) this.#held = [...this.#held, ...rows].slice(-ROWS_MAX);
    else this.#add(rows);
    this.#host.requestUpdate();
    return rows.length;
  }

  #add(rows: readonly RecordRow[]): void {
    this.#total += rows.length;
    this.#rows = [...this.#rows, ...rows].slice(-ROWS_MAX);
  }

  #release(): void {
    const held = this.#held;
    this.#held = [];
    if (held.length > 0) this.#add(held);
  }

  #settle(): void {
    this.#phase = "idle";
    this.#host.requestUpdate();
  }

  async #guard(turn: number, read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      if (turn === this.#turn) this.#error = describeError(error);
    }
  }
}
