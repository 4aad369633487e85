/** Why a log is not led: frames that this build does not understand, that cannot be read, or that find no room. */
import { SECTION_JOB_EPOCH, SECTION_RECORDS, WAL_FORMAT } from "@millrace/core/layout";
import type { CoreMemoryError } from "../core/core-errors.ts";
import {
  InvalidArgumentError,
  type MillraceError,
  StoreFailedError,
  UnsupportedFormatError,
} from "../errors/index.ts";
import { KNOWN_SECTIONS } from "./sections.ts";
import type { DecodedFrame } from "./wal-frame.ts";

/** A frame that the store has and does not give. */
export interface UnreadableFrame {
  readonly frameNumber: number;
  readonly cause: MillraceError;
}

/** Why the log is not led. What the next opening reads may be whole. */
export function withheld({ frameNumber, cause }: UnreadableFrame): StoreFailedError {
  return new StoreFailedError(
    `the store has WAL frame ${frameNumber} and does not give it (${cause.message}); the log is not opened without it`,
    { argument: "frameNumber", value: frameNumber, cause },
  );
}

/** The core has no room for what the WAL holds. */
export function tooSmall(cause: CoreMemoryError): InvalidArgumentError {
  return new InvalidArgumentError(
    "memoryBudgetBytes is too small for what the log holds outside of segments; open it with the budget " +
      "it was written with",
    { argument: "memoryBudgetBytes", cause },
  );
}

/**
 * Refuses to lead a log whose frames this build cannot keep the meaning of.
 * @throws UnsupportedFormatError
 */
export function refuseUnknown(frame: DecodedFrame): void {
  if (frame.format !== WAL_FORMAT) {
    throw new UnsupportedFormatError(
      `WAL frame ${frame.frameNumber} has format ${frame.format}, and this build knows format ${WAL_FORMAT}; open the log with a newer build`,
      { argument: "format", value: frame.format, limit: WAL_FORMAT },
    );
  }
  if (frame.incompatibleFeatures !== 0) {
    throw new UnsupportedFormatError(
      `WAL frame ${frame.frameNumber} needs features (bits ${frame.incompatibleFeatures}) that this build does not have; open the log with a newer build`,
      { argument: "incompatibleFeatures", value: frame.incompatibleFeatures, limit: 0 },
    );
  }
  for (const section of frame.sections) {
    const foreign =
      (!KNOWN_SECTIONS.has(section.type) && section.critical) ||
      (section.keyId !== 0 && section.type !== SECTION_RECORDS) ||
      section.codec !== 0 ||
      section.type === SECTION_JOB_EPOCH;
    if (foreign) {
      throw new UnsupportedFormatError(
        `WAL frame ${frame.frameNumber} holds a section of type ${section.type} that this build cannot keep; open the log with a newer build`,
        { argument: "section.type", value: section.type, limit: [...KNOWN_SECTIONS].join(", ") },
      );
    }
  }
}
