/**
 * Writes a log that was exported into an empty store: all of it, or nothing.
 *
 * A marker in the place of frame 0 says that the log is unfinished until there is a frame behind the last
 * one of the export. That frame is the import's own: a fence, which begins a new incarnation.
 */
import type { ShardLogCore } from "../core/core-types.ts";
import {
  EngineExistsError,
  InvalidArgumentError,
  UnsupportedFormatError,
} from "../errors/index.ts";
import { hexOfBytes } from "../model/hex.ts";
import type { Clock, Random, Witnesses } from "../platform/platform.ts";
import type { LogStore, SegmentWrite } from "../storage/log-store.ts";
import { ArchiveDamage, type ArchiveEntry, ArchiveReader } from "./archive-format.ts";
import { readUint64, viewOf, writeUint64 } from "./bytes.ts";
import { fenceSection } from "./sections.ts";
import { decodeFrame, encodeFrame } from "./wal-frame.ts";
import { encodeTestimony } from "./witness.ts";

/** Number under which the marker is kept. */
const MARKER_FRAME = 0;
const MARKER_MAGIC = 0x4958524d;
const MARKER_BYTES = 16;
/** Bytes of segments that one transaction takes, about. */
const TRANSACTION_SOFT_BYTES = 4_194_304;

/** What was imported. */
export interface ImportReport {
  readonly frames: number;
  readonly segments: number;
  readonly byteLength: number;
  /** Of the log from now on, 32 hexadecimal digits. */
  readonly incarnation: string;
}

/** What an import needs. */
export interface ImportSettings {
  readonly name: string;
  readonly core: ShardLogCore;
  readonly store: LogStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly witnesses?: Witnesses | undefined;
}

/** The import of one archive. */
export class LogImport {
  readonly #settings: ImportSettings;
  readonly #reader: ArchiveReader;
  #segments: SegmentWrite[] = [];
  #segmentBytes = 0;
  #begun = false;
  #newestHash = 0n;
  #newestEpoch = 0;

  constructor(settings: ImportSettings) {
    this.#settings = settings;
    this.#reader = new ArchiveReader((bytes) => settings.core.xxh64(bytes));
  }

  /**
   * Takes the next piece of the archive and writes what it completes.
   * @throws EngineExistsError when the store holds a log; InvalidArgumentError for damage;
   * UnsupportedFormatError for an archive of a newer build; what the store throws.
   */
  async take(piece: Uint8Array): Promise<void> {
    this.#reader.push(piece);
    for (;;) {
      const entry = this.#reader.next();
      if (entry instanceof ArchiveDamage) throw damaged(entry);
      if (this.#reader.header !== undefined && !this.#begun) await this.#begin();
      if (entry === undefined) return;
      await this.#write(entry);
    }
  }

  /** Makes the log valid, once all of the archive was taken. @throws InvalidArgumentError when something is missing. */
  async finish(): Promise<ImportReport> {
    const { header, trailer } = this.#reader;
    if (header === undefined || trailer === undefined) {
      throw damaged(new ArchiveDamage("it ends too early"));
    }
    await this.#flush();
    const { core, store, clock, random } = this.#settings;
    const incarnation = hexOfBytes(random.fill(new Uint8Array(16)));
    const frameNumber = header.throughFrame + 1;
    const epoch = Math.max(header.epoch, this.#newestEpoch) + 1;
    const fence = { leaderId: incarnation, incarnation, formerly: header.incarnation };
    const place = { epoch, frameNumber, previousHash: this.#newestHash, timeMs: clock.nowMs() };
    const frame = encodeFrame(core, place, [fenceSection(fence)]);
    await store.appendFrame(frameNumber, frame.bytes, "strict");
    await store.deleteFrames([MARKER_FRAME]);
    await this.#testify(incarnation, epoch, frameNumber, frame.hash);
    const { frames, segments, payloadBytes: byteLength } = trailer;
    return { frames, segments, byteLength, incarnation };
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    if (this.#begun) await discardAll(this.#settings.store);
  }

  async #begin(): Promise<void> {
    const { store, name } = this.#settings;
    await settleImport(store);
    if ((await store.lastFrameNumber()) > 0 || (await store.segmentKeys()).length > 0) {
      throw new EngineExistsError(
        `the engine "${name}" holds a log already; import into a new name`,
        { argument: "name", value: name },
      );
    }
    const marker = new Uint8Array(MARKER_BYTES);
    viewOf(marker).setUint32(0, MARKER_MAGIC, true);
    writeUint64(viewOf(marker), 8, this.#reader.header?.throughFrame ?? 0);
    await store.appendFrame(MARKER_FRAME, marker, "strict");
    this.#begun = true;
  }

  async #write(entry: ArchiveEntry): Promise<void> {
    const { store, core } = this.#settings;
    if (entry.kind === "frame") {
      this.#checkNumber(entry.frameNumber);
      const frame = decodeFrame(core, entry.bytes);
      // A frame that was damaged when it was exported comes along, to be reported by recovery.
      if (!("damaged" in frame)) {
        this.#newestHash = frame.hash;
        this.#newestEpoch = Math.max(this.#newestEpoch, frame.epoch);
      }
      await store.appendFrame(entry.frameNumber, entry.bytes, "strict");
      return;
    }
    this.#newestEpoch = Math.max(this.#newestEpoch, entry.key[5]);
    this.#segments.push({ key: entry.key, image: entry.bytes.slice().buffer });
    this.#segmentBytes += entry.bytes.byteLength;
    if (this.#segmentBytes >= TRANSACTION_SOFT_BYTES) await this.#flush();
  }

  /** A frame behind the newest one would pass an import that is unfinished for one that is done. */
  #checkNumber(frameNumber: number): void {
    const { throughFrame = 0 } = this.#reader.header ?? {};
    if (Number.isInteger(frameNumber) && frameNumber > MARKER_FRAME && frameNumber <= throughFrame)
      return;
    throw damaged(
      new ArchiveDamage(`it holds a frame ${frameNumber}, and its newest is ${throughFrame}`),
    );
  }

  async #flush(): Promise<void> {
    const segments = this.#segments;
    this.#segments = [];
    this.#segmentBytes = 0;
    if (segments.length > 0) await this.#settings.store.addSegments(segments);
  }

  async #testify(
    incarnation: string,
    epoch: number,
    frameNumber: number,
    hash: bigint,
  ): Promise<void> {
    const { witnesses, name, clock } = this.#settings;
    const uids = { nextStreamUid: 0, nextShardUid: 0 };
    const place = { incarnation, epoch, frameNumber, hash, relaxedFrames: 0 };
    const testimony = encodeTestimony({ ...place, ...uids, timeMs: clock.nowMs() });
    // Without a witness the log is as whole as with one.
    await witnesses?.write(name, testimony).catch(() => undefined);
  }
}

function damaged({ reason }: ArchiveDamage): InvalidArgumentError | UnsupportedFormatError {
  const details = { argument: "source", value: reason };
  if (reason.includes("does not know")) {
    return new UnsupportedFormatError(`the export cannot be read: ${reason}`, details);
  }
  return new InvalidArgumentError(`the export is damaged: ${reason}`, details);
}

/**
 * Ends an import that did not come to its end, if there was one: what it wrote is removed. Of one that
 * did, only the marker may be left.
 */
export async function settleImport(store: LogStore): Promise<void> {
  const [first] = await store.frameNumbers();
  if (first !== MARKER_FRAME) return;
  const marker = await store.readFrame(MARKER_FRAME);
  const known =
    marker?.byteLength === MARKER_BYTES && viewOf(marker).getUint32(0, true) === MARKER_MAGIC;
  const throughFrame = known ? readUint64(viewOf(marker), 8) : 0;
  if ((await store.lastFrameNumber()) > throughFrame) await store.deleteFrames([MARKER_FRAME]);
  else await discardAll(store);
}

/** Removes everything, the marker last. */
async function discardAll(store: LogStore): Promise<void> {
  await store.deleteSegments(await store.segmentKeys());
  const numbers = await store.frameNumbers();
  await store.deleteFrames(numbers.filter((frameNumber) => frameNumber !== MARKER_FRAME));
  await store.deleteFrames([MARKER_FRAME]);
}
