/** Notices where records of a shard were gone before they were read: what was read does not follow on what was before. */
import { formatSequenceNumber } from "@millrace/engine";
import type { IndexOf, RecordPosition } from "./held-lease.ts";
import type { FetchedPart } from "./shard-source.ts";

/** Records between these two are gone, or may be; 56 decimal digits each. */
export interface Gap {
  /** The last record that was read or processed before the gap; undefined for none. */
  readonly after: string | undefined;
  /** The first one behind it; undefined when nothing of the shard is left. */
  readonly before: string | undefined;
}

/** See above: of one lease. */
export class GapWatch {
  readonly #indexOf: IndexOf;
  /** The last record that was seen. */
  #index: number | undefined;
  #sequenceNumber: string | undefined;

  /** `processed` is where the lease begins. */
  constructor(indexOf: IndexOf, processed: RecordPosition | undefined) {
    this.#indexOf = indexOf;
    this.#index = processed?.index;
  }

  /** Looks at what was read next. */
  look({ batch, part }: FetchedPart): Gap | undefined {
    const { firstRecord, recordCount } = part;
    const lost = part.trimmed || part.hole;
    if (recordCount === 0)
      return lost ? { after: this.#after(part), before: undefined } : undefined;
    const before = batch.sequenceNumber(firstRecord);
    const after = lost && !this.#precedes(this.#indexOf(before)) ? this.#after(part) : null;
    this.#sequenceNumber = batch.sequenceNumber(firstRecord + recordCount - 1);
    this.#index = this.#indexOf(this.#sequenceNumber);
    return after === null ? undefined : { after, before };
  }

  /** The shard went with whatever there was yet. */
  gone(): Gap {
    return { after: this.#sequenceNumber, before: undefined };
  }

  /** Whether no record can lie between the last one and this one; a takeover leaves indexes out. */
  #precedes(index: number): boolean {
    return this.#index !== undefined && index <= this.#index + 1;
  }

  /** Of a record that was processed in a former life only the index is known: its time is the shard's then. */
  #after({ shardIndex, createdSeconds }: FetchedPart["part"]): string | undefined {
    const sequenceIndex = this.#index;
    if (this.#sequenceNumber !== undefined || sequenceIndex === undefined) {
      return this.#sequenceNumber;
    }
    const arrivalSeconds = createdSeconds;
    return formatSequenceNumber({ createdSeconds, shardIndex, arrivalSeconds, sequenceIndex });
  }
}
