/**
 * A stream's retention period: its limits, the change of it, and who holds it. Whoever still needs records has it
 * raised, and it goes back when the last one gives it up. Who holds a stream, what its retention was before and what
 * it was raised to are tags of the stream, and change in one step with it: lowering it drops records at once.
 */
import type { ControlRecord, StreamDefinition } from "../log/control-records.ts";
import type { Catalogue } from "./catalogue.ts";
import {
  TAG_KEY_LENGTH_MAX,
  type Tags,
  taggedStream,
  taggingRecords,
  tagsOf,
  untaggingRecords,
} from "./tags.ts";

/** Retention period in hours: a day to a year. */
export const RETENTION_HOURS = { min: 24, max: 8760 } as const;
/** Who raises the retention has it longer than is needed by so much, lest it rise every hour. */
const RAISE_HOURS = 24;
const HOLD_PREFIX = "millrace.hold.";
/** Its value is the hours of retention before the first hold and after the last raise, as "24 49". */
const RAISED_TAG = "millrace.held";
/** Name of who holds a stream, in characters. */
export const HOLDER_LENGTH_MAX = TAG_KEY_LENGTH_MAX - HOLD_PREFIX.length;

/** Hours of retention before a stream was held, and as the last hold has set it. */
interface Raise {
  readonly from: number;
  readonly to: number;
}

/** Who holds a stream that is as it is. */
interface Holding {
  readonly tags: Tags;
  readonly ownTag: string;
  readonly raised: Raise | undefined;
  /** Hours that its retention goes back to; undefined when no hold has raised it, or somebody has set it since. */
  readonly backTo: number | undefined;
}

/** The records that change a stream's retention period. */
export function retainingRecords(
  { transitions }: Catalogue,
  { uid }: StreamDefinition,
  retentionHours: number,
): ControlRecord[] {
  return [
    { kind: "stream-updated", streamUid: uid, settings: { retentionHours } },
    ...transitions.beginning(uid, "UPDATING"),
  ];
}

/**
 * The records by which a holder has the retention at least so many hours long for as long as it holds it; none when
 * that is so already. @throws InvalidArgumentError over 50 tags.
 */
export function holdingRecords(
  catalogue: Catalogue,
  stream: StreamDefinition,
  holder: string,
  hours: number,
): ControlRecord[] {
  const { documents } = catalogue;
  const { tags, ownTag, raised, backTo } = holdingOf(catalogue, stream, holder);
  const { retentionHours } = stream;
  if (retentionHours >= hours) {
    // It may be that long for others alone, and go back to less than this one needs.
    const goesBelow = raised !== undefined && raised.from < hours;
    if (!goesBelow || Object.hasOwn(tags, ownTag)) return [];
    return taggingRecords(documents, taggedStream(stream), { [ownTag]: "" });
  }
  const to = Math.min(RETENTION_HOURS.max, hours + RAISE_HOURS);
  const added = { [ownTag]: "", [RAISED_TAG]: `${backTo ?? retentionHours} ${to}` };
  return [
    ...taggingRecords(documents, taggedStream(stream), added),
    ...retainingRecords(catalogue, stream, to),
  ];
}

/**
 * The records by which a holder gives a stream up; the last one lowers the retention to what it was, unless somebody
 * has set another one meanwhile. None for who does not hold it.
 */
export function releasingRecords(
  catalogue: Catalogue,
  stream: StreamDefinition,
  holder: string,
): ControlRecord[] {
  const { documents } = catalogue;
  const { tags, ownTag, backTo } = holdingOf(catalogue, stream, holder);
  if (!Object.hasOwn(tags, ownTag)) return [];
  const holders = Object.keys(tags).filter((key) => key.startsWith(HOLD_PREFIX));
  if (holders.length > 1) return untaggingRecords(documents, taggedStream(stream), [ownTag]);
  return [
    ...untaggingRecords(documents, taggedStream(stream), [ownTag, RAISED_TAG]),
    ...(backTo === undefined ? [] : retainingRecords(catalogue, stream, backTo)),
  ];
}

function holdingOf({ documents }: Catalogue, stream: StreamDefinition, holder: string): Holding {
  const tags = tagsOf(documents, taggedStream(stream).key);
  const raised = raiseIn(tags);
  const backTo = raised?.to === stream.retentionHours ? raised.from : undefined;
  return { tags, ownTag: `${HOLD_PREFIX}${holder}`, raised, backTo };
}

/** Anybody may write the tag: what no hold could have set counts for nothing. */
function raiseIn(tags: Tags): Raise | undefined {
  const [, from, to] = /^(\d+) (\d+)$/.exec(tags[RAISED_TAG] ?? "") ?? [];
  const raise = { from: Number(from), to: Number(to) };
  const { min, max } = RETENTION_HOURS;
  return raise.from >= min && raise.from < raise.to && raise.to <= max ? raise : undefined;
}
