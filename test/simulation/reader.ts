/** A page's reader: follows all shards of a stream from the trim horizon on, over every change of leader. */
import { PART_AT_END, PART_HOLE, PART_SHARD_CLOSED, PART_TRIMMED } from "@millrace/core/layout";
import { MillraceError } from "../../engine/host/src/errors/index.ts";
import type { StreamDescription } from "../../engine/host/src/service/engine-service.ts";
import { type ReadPart, readSlice } from "../../engine/host/test/support/batches.ts";
import { type Connection, LostError } from "./fleet.ts";
import type { History, ReadSpan } from "./history.ts";
import type { Machine } from "./machine.ts";
import { idOfData } from "./producer.ts";

/** Errors that a machine with faults may give to a reader, who then asks again. */
const PASSING = new Set([
  // No leader can begin while its fence finds no room.
  "StoreFullException",
  "StoreFailedException",
  "OutcomeUnknownException",
  "InternalFailureException",
  "IndeterminateException",
  "DeadlineException",
]);
const WAIT_MS = 2000;
const PAUSE_MS = 50;

/** What a reader works with. */
export interface ReaderParts {
  readonly machine: Machine;
  readonly history: History;
  readonly connection: Connection;
}

/** Reads one stream until it is told to stop or the stream is gone. */
export class Reader {
  readonly #parts: ReaderParts;
  readonly #stream: StreamDescription;
  readonly #name: string;
  /** Shards that are read, by index. */
  readonly #spans = new Map<number, ReadSpan>();
  /** Shards that were read to their end. */
  readonly #finished = new Set<number>();
  #stopped = false;

  constructor(parts: ReaderParts, stream: StreamDescription) {
    this.#parts = parts;
    this.#stream = stream;
    this.#name = `${parts.connection.page.name}/${stream.name}`;
    void this.#run();
  }

  /** Asks for nothing more. */
  stop(): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    const { machine, connection } = this.#parts;
    while (!this.#stopped) {
      try {
        await this.#findShards();
        while (!this.#stopped && (await this.#readOnce())) {
          // Until a shard ends: then its children are looked for.
        }
      } catch (error) {
        if (error instanceof MillraceError && error.code === "ResourceNotFoundException") return;
        const passing =
          error instanceof LostError || (error instanceof MillraceError && PASSING.has(error.code));
        if (!passing) machine.verdict.report("error", `${this.#name} reads: ${String(error)}`);
      }
      const options = { delayMs: PAUSE_MS };
      await machine.scheduler.pause(connection.page, `${this.#name} goes on`, options);
    }
  }

  /** Begins with shards that it does not know yet, at their trim horizon. */
  async #findShards(): Promise<void> {
    const { connection, history } = this.#parts;
    const { name, uid } = this.#stream;
    const found = await connection.ask(`${this.#name} positions`, async (service) => {
      const stream = await service.call("describeStream", { name });
      if (stream.uid !== uid) return [];
      const position = { type: "TRIM_HORIZON" } as const;
      return await service.call("resolvePosition", { name, position });
    });
    if (found.length === 0) this.#stopped = true;
    for (const { shardIndex, nextIndex } of found) {
      if (this.#spans.has(shardIndex)) continue;
      this.#spans.set(shardIndex, history.span(this.#name, uid, shardIndex, nextIndex));
    }
  }

  /** Reads once; whether to go on with the same shards. */
  async #readOnce(): Promise<boolean> {
    const { connection } = this.#parts;
    const cursors = [...this.#spans.values()]
      .filter(({ shardIndex }) => !this.#finished.has(shardIndex))
      .map(({ shardIndex, nextIndex }) => ({ shardIndex, nextIndex }));
    if (cursors.length === 0) return false;
    const request = { streamUid: this.#stream.uid, cursors, recordsMax: 100, bytesMax: 1_048_576 };
    const slice = await connection.ask(`${this.#name} read`, (service) =>
      service.read({ ...request, waitMs: WAIT_MS }, new AbortController().signal),
    );
    let same = true;
    for (const part of readSlice(slice)) same = this.#take(part) && same;
    return same;
  }

  #take(part: ReadPart): boolean {
    const span = this.#spans.get(part.shardIndex);
    if (span === undefined) return true;
    if ((part.flags & (PART_TRIMMED | PART_HOLE)) !== 0) span.gaps = true;
    for (const { shardIndex, index, key, arrivalMs, data } of part.records) {
      const place = { streamUid: this.#stream.uid, shardIndex, index };
      this.#parts.history.read(span, { ...place, key, arrivalMs, id: idOfData(data) });
    }
    span.nextIndex = Math.max(span.nextIndex, part.nextIndex);
    const over = PART_AT_END | PART_SHARD_CLOSED;
    if ((part.flags & over) !== over) return true;
    this.#finished.add(part.shardIndex);
    return false;
  }
}
