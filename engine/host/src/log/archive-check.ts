/** Verifies an exported log as a scrub verifies a store: the file itself, and all that it holds. */
import type { ShardLogCore } from "../core/core-types.ts";
import { NotSupportedError } from "../errors/index.ts";
import type { LogStore, SegmentKey, StoredFrame, StoreUsage } from "../storage/log-store.ts";
import { ArchiveDamage, type ArchiveHeader, ArchiveReader } from "./archive-format.ts";
import type { DataLoss } from "./loss-reports.ts";
import { Scrub, type ScrubReport, scrubFrames } from "./scrub.ts";

/** What an archive came to. */
export interface ArchiveReport extends ScrubReport {
  /** Absent when not even the header could be read. */
  readonly header: ArchiveHeader | undefined;
}

/** Reads an archive to its end, or to where it is damaged. @throws UnsupportedFormatError for a log of a newer build. */
export async function checkArchive(
  core: ShardLogCore,
  pieces: AsyncIterable<Uint8Array>,
): Promise<ArchiveReport> {
  const reader = new ArchiveReader((bytes) => core.xxh64(bytes));
  const scrub = new Scrub(core);
  const held = new ArchivedFrames();
  const damage = await readEntries(reader, pieces, scrub, held);
  const { scan } = await scrubFrames(core, held, scrub);
  const report = scrub.report((uid) => scan.control.shard(uid)?.sealedThrough);
  const whole = damage === undefined ? [] : [damageOf(damage.reason)];
  const left = reader.trailer?.unreadable ?? 0;
  if (left > 0)
    whole.push(damageOf(`${left} frames and segments could not be read when it was made`));
  return { ...report, damage: [...whole, ...report.damage], header: reader.header };
}

async function readEntries(
  reader: ArchiveReader,
  pieces: AsyncIterable<Uint8Array>,
  scrub: Scrub,
  held: ArchivedFrames,
): Promise<ArchiveDamage | undefined> {
  for await (const piece of pieces) {
    reader.push(piece);
    for (let entry = reader.next(); entry !== undefined; entry = reader.next()) {
      if (entry instanceof ArchiveDamage) return entry;
      if (entry.kind === "frame") held.frames.set(entry.frameNumber, entry.bytes);
      else {
        held.keys.push(entry.key);
        scrub.segment(entry.key, entry.bytes);
      }
    }
  }
  return reader.trailer === undefined ? new ArchiveDamage("it ends too early") : undefined;
}

function damageOf(reason: string): DataLoss {
  return { kind: "log", where: "the file", reason, recordCount: undefined };
}

/** The frames of an archive as a store that can only be read; of segments it has the keys. */
class ArchivedFrames implements LogStore {
  readonly kind = "archive";
  readonly recoverable = true;
  readonly lossAtOpening = undefined;
  readonly frames = new Map<number, Uint8Array>();
  readonly keys: SegmentKey[] = [];

  async frameNumbers(): Promise<number[]> {
    return [...this.frames.keys()].sort((left, right) => left - right);
  }

  async lastFrameNumber(): Promise<number> {
    return (await this.frameNumbers()).at(-1) ?? 0;
  }

  async readFrame(frameNumber: number): Promise<Uint8Array | undefined> {
    return this.frames.get(frameNumber);
  }

  async readFrames(fromFrame: number, toFrame: number): Promise<StoredFrame[]> {
    const numbers = (await this.frameNumbers()).filter((n) => n >= fromFrame && n <= toFrame);
    return numbers.flatMap((frameNumber) => {
      const bytes = this.frames.get(frameNumber);
      return bytes === undefined ? [] : [{ frameNumber, bytes }];
    });
  }

  async segmentKeys(): Promise<SegmentKey[]> {
    return this.keys;
  }

  async readSegment(): Promise<Uint8Array | undefined> {
    return undefined;
  }

  appendFrame(): Promise<void> {
    return Promise.reject(readOnly());
  }

  addSegments(): Promise<void> {
    return Promise.reject(readOnly());
  }

  deleteFrames(): Promise<void> {
    return Promise.reject(readOnly());
  }

  deleteSegments(): Promise<void> {
    return Promise.reject(readOnly());
  }

  async reopen(): Promise<void> {}

  async usage(): Promise<StoreUsage> {
    return { usageBytes: undefined, quotaBytes: undefined, persistent: false };
  }

  onLost(): void {}

  async close(): Promise<void> {}
}

function readOnly(): NotSupportedError {
  return new NotSupportedError("an exported log is only read", { argument: "source" });
}
