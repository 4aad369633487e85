/**
 * Drops the oldest segments of streams that give way when the store is full: an explicit loss, like a
 * retention period that ends early, and told as such.
 */
import { formatSequenceNumber, shardIdOf } from "../sequence/sequence-number.ts";
import type { SegmentKey } from "../storage/log-store.ts";
import type { StreamDefinition } from "./control-records.ts";
import type { GroupCommit } from "./group-commit.ts";
import type { LogContext } from "./log-context.ts";
import type { LogEvent } from "./log-events.ts";
import { trimSegments } from "./retention.ts";
import { factsOfImage } from "./segment-directory.ts";

/** What goes of one shard. */
interface ShardDrop {
  readonly stream: StreamDefinition;
  readonly shardUid: number;
  readonly segments: SegmentKey[];
}

/** Drops segments when told to; the room keeper decides when. */
export class OldestDropper {
  readonly #context: LogContext;
  readonly #commit: GroupCommit;
  readonly #onEvent: (event: LogEvent) => void;

  constructor(context: LogContext, commit: GroupCommit, onEvent: (event: LogEvent) => void) {
    this.#context = context;
    this.#commit = commit;
    this.#onEvent = onEvent;
  }

  /** Bytes of all segments that may be dropped. */
  get droppableBytes(): number {
    return this.#candidates().reduce((sum, { key }) => sum + this.#lengthOf(key), 0);
  }

  /** Drops the oldest segments, over all streams that give way, until so many bytes are free or none is left. */
  async drop(byteLength: number): Promise<void> {
    const drops = new Map<number, ShardDrop>();
    let freed = 0;
    for (const { key, stream } of this.#candidates()) {
      if (freed >= byteLength) break;
      const [shardUid] = key;
      const drop = drops.get(shardUid) ?? { stream, shardUid, segments: [] };
      drop.segments.push(key);
      drops.set(shardUid, drop);
      freed += this.#lengthOf(key);
    }
    if (drops.size === 0) return;
    // Before they are gone: the store is asked for what no manifest tells any more.
    for (const { segments } of drops.values()) await this.#complete(segments);
    const events = new Map([...drops.values()].map((drop) => [drop, this.#eventOf(drop)]));
    // As the streams are when the frame is sent: one may have been told to keep its records meanwhile.
    const { control } = this.#context;
    let given: readonly ShardDrop[] = [];
    await trimSegments(this.#context, this.#commit, () => {
      given = [...drops.values()].filter(
        ({ stream }) => control.stream(stream.uid)?.whenFull === "drop-oldest",
      );
      return given.flatMap(({ segments }) => segments.slice(-1));
    });
    for (const event of given.flatMap((drop) => events.get(drop) ?? [])) this.#onEvent(event);
  }

  /** Segments of streams that give way, oldest first; those of one shard in their order. */
  #candidates(): { readonly key: SegmentKey; readonly stream: StreamDefinition }[] {
    const { control, directory } = this.#context;
    return [...control.streams()]
      .filter(({ whenFull }) => whenFull === "drop-oldest")
      .flatMap((stream) =>
        stream.shards.flatMap(({ uid }) => directory.of(uid).map((key) => ({ key, stream }))),
      )
      .sort((a, b) => a.key[4] - b.key[4] || a.key[0] - b.key[0] || a.key[1] - b.key[1]);
  }

  #lengthOf(key: SegmentKey): number {
    return this.#context.directory.factsOf(key)?.[0] ?? 0;
  }

  async #complete(segments: readonly SegmentKey[]): Promise<void> {
    const { directory, store } = this.#context;
    for (const key of segments) {
      if (directory.factsOf(key) !== undefined) continue;
      const image = await store.readSegment(key).catch(() => undefined);
      const facts = image === undefined ? undefined : factsOfImage(image);
      if (facts !== undefined && directory.of(key[0]).includes(key)) directory.note(key, facts);
    }
  }

  /** The loss as it is told. A last number that nobody knows is told as that of the newest first one. */
  #eventOf({ stream, shardUid, segments }: ShardDrop): LogEvent[] {
    const { slots, directory } = this.#context;
    const shard = slots.ofUid(shardUid);
    const first = segments[0];
    const last = segments.at(-1);
    if (shard === undefined || first === undefined || last === undefined) return [];
    const facts = segments.map((key) => directory.factsOf(key));
    const counts = facts.map((known) => known?.[1]);
    const { createdSeconds, shardIndex } = shard;
    const numberOf = (sequenceIndex: number, arrivalMs: number): string =>
      formatSequenceNumber({
        ...{ createdSeconds, shardIndex, sequenceIndex },
        arrivalSeconds: Math.floor(arrivalMs / 1000),
      });
    return [
      {
        kind: "records-dropped",
        streamUid: stream.uid,
        streamName: stream.name,
        shardId: shardIdOf(shardIndex),
        firstSequenceNumber: numberOf(first[2], first[3]),
        lastSequenceNumber: numberOf(directory.lastIndexOf(last) ?? last[2], last[4]),
        recordCount: counts.includes(undefined)
          ? undefined
          : counts.reduce<number>((sum, count) => sum + (count ?? 0), 0),
      },
    ];
  }
}
