/**
 * A store over another one that stays as it is: what is written is kept in memory, what is deleted is hidden,
 * and all else is read from below. For looking at a log as its leader would, without leading it.
 */
import { FrameExistsError, OutcomeUnknownError } from "../errors/store-errors.ts";
import type {
  Durability,
  LogStore,
  SegmentKey,
  SegmentWrite,
  StoredFrame,
  StoreUsage,
} from "./log-store.ts";
import { compareSegmentKeys, segmentKeyText } from "./segment-order.ts";

/** {@link LogStore} that writes nothing to the one below it. Open it with {@link OverlayStore.open}. */
export class OverlayStore implements LogStore {
  readonly #openBelow: () => Promise<LogStore>;
  readonly #listeners: ((reason: string) => void)[] = [];
  /** Undefined where what lies below is hidden. */
  readonly #frames = new Map<number, Uint8Array | undefined>();
  readonly #segments = new Map<string, { key: SegmentKey; bytes: Uint8Array | undefined }>();
  #below: LogStore;
  #open = true;

  private constructor(openBelow: () => Promise<LogStore>, below: LogStore) {
    this.#openBelow = openBelow;
    this.#below = below;
  }

  /** `openBelow` opens the store below, once now and once whenever this one is opened anew. */
  static async open(openBelow: () => Promise<LogStore>): Promise<OverlayStore> {
    return new OverlayStore(openBelow, await openBelow());
  }

  get kind(): string {
    return this.#below.kind;
  }

  get recoverable(): boolean {
    return this.#below.recoverable;
  }

  get lossAtOpening(): string | undefined {
    return this.#below.lossAtOpening;
  }

  async appendFrame(frameNumber: number, frame: Uint8Array, _durability: Durability) {
    this.#checkOpen(`appendFrame ${frameNumber}`);
    // The caller may write into its buffer as soon as this returns.
    const bytes = frame.slice();
    const below = await this.#below.readFrame(frameNumber);
    const there = this.#frames.has(frameNumber) ? this.#frames.get(frameNumber) : below;
    if (there !== undefined) throw existing("frameNumber", `frame ${frameNumber}`);
    this.#frames.set(frameNumber, bytes);
  }

  async lastFrameNumber(): Promise<number> {
    return (await this.frameNumbers()).at(-1) ?? 0;
  }

  async frameNumbers(): Promise<number[]> {
    const numbers = new Set(await this.#below.frameNumbers());
    for (const [frameNumber, bytes] of this.#frames) {
      if (bytes === undefined) numbers.delete(frameNumber);
      else numbers.add(frameNumber);
    }
    return [...numbers].sort((left, right) => left - right);
  }

  async readFrame(frameNumber: number): Promise<Uint8Array | undefined> {
    const below = await this.#below.readFrame(frameNumber);
    return this.#frames.has(frameNumber) ? this.#frames.get(frameNumber)?.slice() : below;
  }

  async readFrames(fromFrame: number, toFrame: number): Promise<StoredFrame[]> {
    const below = await this.#below.readFrames(fromFrame, toFrame);
    const above = [...this.#frames].flatMap(([frameNumber, bytes]) =>
      bytes === undefined || frameNumber < fromFrame || frameNumber > toFrame
        ? []
        : [{ frameNumber, bytes: bytes.slice() }],
    );
    return [...below.filter(({ frameNumber }) => !this.#frames.has(frameNumber)), ...above].sort(
      (left, right) => left.frameNumber - right.frameNumber,
    );
  }

  async deleteFrames(frameNumbers: readonly number[]): Promise<void> {
    this.#checkOpen("deleteFrames");
    for (const frameNumber of frameNumbers) this.#frames.set(frameNumber, undefined);
  }

  async addSegments(segments: readonly SegmentWrite[]): Promise<void> {
    this.#checkOpen("addSegments");
    const below = new Set((await this.#below.segmentKeys()).map(segmentKeyText));
    const given = new Set<string>();
    for (const { key } of segments) {
      const text = segmentKeyText(key);
      const own = this.#segments.get(text);
      const there = own === undefined ? below.has(text) : own.bytes !== undefined;
      if (there || given.has(text)) throw existing("key", `segment ${text}`);
      given.add(text);
    }
    for (const { key, image } of segments) {
      this.#segments.set(segmentKeyText(key), { key, bytes: new Uint8Array(image) });
    }
  }

  async segmentKeys(): Promise<SegmentKey[]> {
    const keys = new Map(
      (await this.#below.segmentKeys()).map((key) => [segmentKeyText(key), key]),
    );
    for (const [text, { key, bytes }] of this.#segments) {
      if (bytes === undefined) keys.delete(text);
      else keys.set(text, key);
    }
    return [...keys.values()].sort(compareSegmentKeys);
  }

  async readSegment(key: SegmentKey): Promise<Uint8Array | undefined> {
    const below = await this.#below.readSegment(key);
    const own = this.#segments.get(segmentKeyText(key));
    return own === undefined ? below : own.bytes?.slice();
  }

  async deleteSegments(keys: readonly SegmentKey[]): Promise<void> {
    this.#checkOpen("deleteSegments");
    for (const key of keys) this.#segments.set(segmentKeyText(key), { key, bytes: undefined });
  }

  async reopen(): Promise<void> {
    await this.close();
    this.#below = await this.#openBelow();
    for (const listener of this.#listeners) this.#below.onLost(listener);
    this.#open = true;
  }

  usage(): Promise<StoreUsage> {
    return this.#below.usage();
  }

  onLost(listener: (reason: string) => void): void {
    this.#listeners.push(listener);
    this.#below.onLost(listener);
  }

  async close(): Promise<void> {
    this.#open = false;
    await this.#below.close();
  }

  #checkOpen(what: string): void {
    if (!this.#open) throw new OutcomeUnknownError(`${what}: the store is closed`);
  }
}

function existing(argument: string, what: string): FrameExistsError {
  return new FrameExistsError(`${what} exists already`, { argument, value: what });
}
