/** What clients sent, what they were told and what they read; and what of it must be in the log at the end. */
import type { Verdict } from "./violations.ts";

/** What became of a record as far as its producer knows. */
export type Fate = "sent" | "acked" | "refused" | "unknown";

/** A record that a producer sent. */
export interface SentRecord {
  readonly id: string;
  readonly producer: string;
  readonly streamUid: number;
  readonly streamName: string;
  readonly key: string;
  readonly batchNumber: number;
  readonly row: number;
  fate: Fate;
  /** Where it was stored, as far as anybody was told. */
  place: Place | undefined;
  /** Arrival in ms since the Unix epoch as the engine says, when it is known. */
  arrivalMs: number | undefined;
  /** Whether its bytes must not lie on the disk as they are. */
  secret: boolean;
  /** Why it may be gone although it was acknowledged; undefined when it must not be. */
  losable: string | undefined;
}

/** Where a record is. */
export interface Place {
  readonly streamUid: number;
  readonly shardIndex: number;
  readonly index: number;
}

/** A record as the log has it. */
export interface StoredRecord extends Place {
  readonly key: string;
  readonly arrivalMs: number;
  /** What the producer called it. */
  readonly id: string;
}

/** A stream as it is at the end, all its records in order by shard. */
export interface StoredStream {
  readonly uid: number;
  readonly name: string;
  readonly retentionHours: number;
  readonly records: readonly StoredRecord[];
}

/** Everything a reader has seen of one shard. */
export interface ReadSpan {
  readonly reader: string;
  readonly streamUid: number;
  readonly shardIndex: number;
  readonly fromIndex: number;
  nextIndex: number;
  readonly seen: Set<number>;
  /** Whether it was told that records were trimmed or damaged before it. */
  gaps: boolean;
}

function nameOf({ streamUid, shardIndex, index }: Place): string {
  return `${streamUid}/${shardIndex}/${index}`;
}

const HOUR_MS = 3_600_000;
const fromLatin1 = new TextDecoder("latin1");

/** The oracle of one run. */
export class History {
  readonly #verdict: Verdict;
  readonly #records = new Map<string, SentRecord>();
  /** Which record every place was ever given to, by anybody who was told. */
  readonly #places = new Map<string, string>();
  readonly #seen = new Map<string, StoredRecord>();
  readonly #spans: ReadSpan[] = [];
  /** Streams that somebody asked to delete. */
  readonly deleted = new Set<number>();
  /** Streams whose oldest records may have been dropped for lack of room. */
  readonly dropping = new Set<number>();
  /** Latest wall time that any process was shown, in ms since the Unix epoch. */
  latestWallMs = 0;
  /** Retention of streams in hours. */
  readonly retentionHours = new Map<number, number>();
  /** Whether the log was damaged where it lay: then loss is allowed, but not to be silent about it. */
  damaged = false;
  /** Records that damage cost. */
  missing = 0;

  constructor(verdict: Verdict) {
    this.#verdict = verdict;
  }

  /** Records that were acknowledged. */
  get ackedCount(): number {
    return this.#count("acked");
  }

  /** Records in all. */
  get sentCount(): number {
    return this.#records.size;
  }

  /** What is known of a record. */
  find(id: string): SentRecord | undefined {
    return this.#records.get(id);
  }

  /** Notes a record that is about to be sent. */
  sent(record: SentRecord): void {
    this.#records.set(record.id, record);
  }

  /** A producer was told that a record is durable. */
  acked(record: SentRecord, place: Place, arrivalMs: number): void {
    if (record.fate === "refused") return;
    record.fate = "acked";
    record.arrivalMs = arrivalMs;
    this.#claim(place, record.id, "acknowledged");
    this.#moved(record, place);
  }

  /** Begins to note what a reader sees of a shard. */
  span(reader: string, streamUid: number, shardIndex: number, fromIndex: number): ReadSpan {
    const base = { reader, streamUid, shardIndex, fromIndex };
    const span: ReadSpan = { ...base, nextIndex: fromIndex, seen: new Set(), gaps: false };
    this.#spans.push(span);
    return span;
  }

  /** A reader was given a record. */
  read(span: ReadSpan, record: StoredRecord): void {
    if (record.index < span.nextIndex) {
      const where = `${nameOf(record)} after ${span.nextIndex - 1}`;
      this.#report("read order", `reader ${span.reader} was given ${where}`);
    }
    span.nextIndex = record.index + 1;
    span.seen.add(record.index);
    this.#stored(record, `read by ${span.reader}`);
    this.#seen.set(nameOf(record), record);
  }

  /** All that is acknowledged of some streams may be gone from now on, for a reason. */
  excuse(reason: string, concerns: (record: SentRecord) => boolean): void {
    for (const record of this.#records.values()) {
      if (concerns(record)) record.losable ??= reason;
    }
  }

  /** A stream is not encrypted any more: what was not settled before may have been stored since. */
  disclose(streamUid: number): void {
    for (const record of this.#records.values()) {
      if (record.streamUid === streamUid && record.fate !== "acked") record.secret = false;
    }
  }

  /** Looks for records of encrypted streams in what the disk holds. */
  checkSecrets(values: Iterable<Uint8Array>): void {
    const secret = [...this.#records.values()].filter((record) => record.secret);
    if (secret.length === 0) return;
    for (const bytes of values) {
      const text = fromLatin1.decode(bytes);
      for (const { id } of secret) {
        if (text.includes(`${id} `)) this.#report("plaintext", `${id} lies on the disk as it is`);
      }
    }
  }

  /** Holds the log as it is at the end against what everybody was told. */
  audit(streams: readonly StoredStream[]): void {
    const there = new Set<string>();
    for (const stream of streams) {
      for (const record of stream.records) {
        const name = nameOf(record);
        if (there.has(name)) this.#report("twice", `${name} is given twice`);
        there.add(name);
        this.#stored(record, "in the log");
      }
      this.#checkOrder(stream);
    }
    for (const record of this.#records.values()) this.#checkKept(record, there);
    for (const record of this.#seen.values()) this.#checkSeen(record, there);
    this.#checkSpans(streams);
  }

  #count(fate: Fate): number {
    let count = 0;
    for (const record of this.#records.values()) if (record.fate === fate) count += 1;
    return count;
  }

  /** Reports what damage cannot excuse. */
  #report(checker: string, message: string): void {
    if (!this.damaged) this.#verdict.report(checker, message);
  }

  /** A place belongs to one record for ever. */
  #claim(place: Place, id: string, how: string): void {
    const name = nameOf(place);
    const before = this.#places.get(name);
    if (before === undefined) this.#places.set(name, id);
    else if (before !== id) {
      this.#report("sequence", `${name} is ${id} (${how}), and was ${before} before`);
    }
  }

  /** A record has one place for ever. */
  #moved(record: SentRecord, place: Place): void {
    if (record.place === undefined) record.place = place;
    else if (nameOf(record.place) !== nameOf(place)) {
      const places = `${nameOf(record.place)} and ${nameOf(place)}`;
      if (record.losable !== undefined) record.place = place;
      else this.#report("twice", `${record.id} is at ${places}`);
    }
  }

  #stored(stored: StoredRecord, how: string): void {
    const record = this.#records.get(stored.id);
    if (record === undefined) {
      this.#verdict.report("unknown", `${nameOf(stored)} (${how}) was never sent: ${stored.id}`);
      return;
    }
    if (record.fate === "refused") {
      this.#report("refused", `${stored.id} is ${how} although it was refused for certain`);
    }
    if (record.key !== stored.key) {
      this.#verdict.report("content", `${stored.id} has key ${stored.key}, not ${record.key}`);
    }
    this.#claim(stored, stored.id, how);
    this.#moved(record, stored);
    record.arrivalMs ??= stored.arrivalMs;
  }

  /** Shards of a key follow each other, children with higher indexes; within one, sequence indexes tell. */
  #checkOrder({ records }: StoredStream): void {
    const last = new Map<string, SentRecord>();
    const inOrder = [...records].sort((a, b) => a.shardIndex - b.shardIndex || a.index - b.index);
    for (const { id } of inOrder) {
      const record = this.#records.get(id);
      if (record === undefined) continue;
      const name = `${record.producer}/${record.key}`;
      const before = last.get(name);
      const fell =
        before !== undefined &&
        (before.batchNumber - record.batchNumber || before.row - record.row) > 0;
      if (fell) this.#report("order", `${record.id} stands behind ${before.id}`);
      last.set(name, record);
    }
  }

  /** Whether a record may have been trimmed by now. */
  #expired(streamUid: number, arrivalMs: number | undefined): boolean {
    const hours = this.retentionHours.get(streamUid) ?? 24;
    return arrivalMs !== undefined && this.latestWallMs - arrivalMs >= hours * HOUR_MS;
  }

  #checkKept(record: SentRecord, there: ReadonlySet<string>): void {
    if (record.fate !== "acked" || record.place === undefined) return;
    if (there.has(nameOf(record.place)) || record.losable !== undefined) return;
    if (this.deleted.has(record.streamUid) || this.dropping.has(record.streamUid)) return;
    if (this.#expired(record.streamUid, record.arrivalMs)) return;
    this.missing += 1;
    this.#report("lost", `${record.id} was acknowledged at ${nameOf(record.place)}`);
  }

  #checkSeen(seen: StoredRecord, there: ReadonlySet<string>): void {
    if (there.has(nameOf(seen)) || this.deleted.has(seen.streamUid)) return;
    if (this.dropping.has(seen.streamUid)) return;
    if (this.#records.get(seen.id)?.losable !== undefined) return;
    if (this.#expired(seen.streamUid, seen.arrivalMs)) return;
    this.missing += 1;
    this.#report("unread", `${seen.id} was read at ${nameOf(seen)} and is gone`);
  }

  /** A reader has seen everything between where it began and where it is. */
  #checkSpans(streams: readonly StoredStream[]): void {
    for (const span of this.#spans) {
      if (span.gaps) continue;
      const stream = streams.find(({ uid }) => uid === span.streamUid);
      for (const record of stream?.records ?? []) {
        if (record.shardIndex !== span.shardIndex) continue;
        if (record.index < span.fromIndex || record.index >= span.nextIndex) continue;
        if (span.seen.has(record.index)) continue;
        this.#report("skipped", `reader ${span.reader} was not given ${nameOf(record)}`);
      }
    }
  }
}
