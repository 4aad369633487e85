/** What the facade reads from the core about runs, segments and images. */
import {
  IMAGE_FORMAT,
  IMAGE_FRAMES,
  IMAGE_HASH,
  IMAGE_LENGTH,
  IMAGE_MAGIC,
  IMAGE_OVERLAP,
  IMAGE_SHARD,
  IMAGE_STATE,
} from "@millrace/core/border";
import { DamagedSegmentError } from "./core-errors.ts";
import type { CoreInstance } from "./core-instance.ts";
import type { IntactRange, Run, SealableSegment } from "./core-types.ts";

/** Run `i` of the cut in flight. */
export function describeRun(core: CoreInstance, i: number): Run {
  core.exports.describeRun(i);
  return {
    slot: core.field(0),
    streamUid: core.field(1),
    shardUid: core.field(2),
    ordinal: core.field(3),
    firstIndex: core.field(4),
    recordCount: core.field(5),
    bodyOffset: core.field(6),
    address: core.field(7),
    byteLength: core.field(8),
  };
}

/** Segment `i` of those found sealable. */
export function describeSealable(core: CoreInstance, i: number): SealableSegment {
  core.exports.describeSealable(i);
  return {
    segment: core.field(0),
    slot: core.field(1),
    streamUid: core.field(2),
    shardUid: core.field(3),
    ordinal: core.field(4),
    firstIndex: core.field(5),
    lastIndex: core.field(6),
    firstMs: core.field(7),
    lastMs: core.field(8),
    recordCount: core.field(9),
    firstFrame: core.field(10),
    lastFrame: core.field(11),
    byteLength: core.field(12),
  };
}

/** Oldest first: by the first WAL frame that holds its records, then as the shard wrote them. */
export function olderFirst(a: SealableSegment, b: SealableSegment): number {
  return a.firstFrame - b.firstFrame || a.slot - b.slot || a.ordinal - b.ordinal;
}

const DAMAGE: Readonly<Record<number, string>> = {
  [IMAGE_LENGTH]: "its length is not what its header says",
  [IMAGE_MAGIC]: "it does not begin with a segment header",
  [IMAGE_FORMAT]: "its format or a feature of it is not known to this build",
  [IMAGE_SHARD]: "it belongs to another shard",
  [IMAGE_HASH]: "its XXH64 does not match its bytes",
  [IMAGE_FRAMES]: "its frames do not verify or do not follow each other",
  [IMAGE_OVERLAP]: "its records are not among the durable ones, or others have their indexes",
  [IMAGE_STATE]: "the shard has records that are not durable, or the segment is closed",
};

/** The error for an image or a run of frames that the core refused with an IMAGE_* code. */
export function damagedSegment(what: string, slot: number, code: number): DamagedSegmentError {
  const reason = DAMAGE[code] ?? `code ${code}`;
  return new DamagedSegmentError(`The ${what} for slot ${slot} was refused: ${reason}.`, {
    argument: what,
    value: slot,
  });
}

/** Intact frames in `byteLength` bytes at `address`, in order. */
export function intactRanges(
  core: CoreInstance,
  address: number,
  byteLength: number,
): IntactRange[] {
  const ranges: IntactRange[] = [];
  const end = address + byteLength;
  let from = address;
  while (core.exports.nextIntact(from, end) !== 0) {
    const found = core.field(0);
    const range: IntactRange = {
      byteOffset: found - address,
      byteLength: core.field(1),
      recordCount: core.field(2),
      firstIndex: core.field(3),
      lastIndex: core.field(4),
      firstMs: core.field(5),
      lastMs: core.field(6),
    };
    ranges.push(range);
    from = found + range.byteLength;
  }
  return ranges;
}
