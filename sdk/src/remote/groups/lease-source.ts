/** The records of one lease, read by polling the service; what fails is told, and tried again for ever. */
import {
  ExpiredIteratorError,
  MillraceError,
  pause,
  ResourceNotFoundError,
} from "@millrace/engine";
import { backOffMs } from "../../groups/back-off.ts";
import {
  type FetchedPart,
  type HeldBytes,
  HeldParts,
  type ReadFailureListener,
  ShardGoneError,
  type ShardSource,
} from "../../groups/shard-source.ts";
import type { PolledShard } from "../polled-shard.ts";
import type { RemoteCalls } from "../remote-calls.ts";
import type { ReadNumbers } from "./read-numbers.ts";

/** First pause after a read that failed, in ms. */
const RETRY_MS = 200;
/** Of a record besides its data, about. */
const RECORD_BYTES = 200;

/** What a lease's records are read with. */
export interface LeaseSourceParts {
  readonly calls: RemoteCalls;
  readonly shardIndex: number;
  readonly polled: PolledShard;
  readonly numbers: ReadNumbers;
  readonly held: HeldBytes;
  readonly onFailure: ReadFailureListener;
  /** Hears that the shard is closed: all its records are read. */
  readonly onClosed: () => void;
  /** Hears that the shard or its stream is not there any more. */
  readonly onGone: () => void;
}

/** See above. */
export class LeaseSource implements ShardSource {
  readonly #parts: LeaseSourceParts;
  readonly #held: HeldParts;
  readonly #ending = new AbortController();

  constructor(parts: LeaseSourceParts) {
    this.#parts = parts;
    this.#held = new HeldParts(parts.held);
  }

  async next(): Promise<FetchedPart> {
    const { signal } = this.#ending;
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#held.room(signal);
        const fetched = await this.#read(signal);
        if (fetched !== undefined) return fetched;
        failures = 0;
      } catch (error) {
        if (signal.aborted) break;
        failures += 1;
        await this.#recover(error, failures, signal);
      }
    }
    return await new Promise<never>(() => undefined);
  }

  close(): void {
    this.#ending.abort();
    this.#held.releaseAll();
    this.#parts.polled.close();
  }

  /** One read; undefined when it brought nothing. */
  async #read(signal: AbortSignal): Promise<FetchedPart | undefined> {
    const { polled, numbers } = this.#parts;
    const { batch } = await polled.read(signal);
    const [part] = batch.parts;
    if (part === undefined || signal.aborted || (batch.length === 0 && !part.shardClosed)) {
      return undefined;
    }
    if (part.shardClosed) this.#parts.onClosed();
    let byteLength = 0;
    for (let i = 0; i < batch.length; i++) {
      numbers.add(batch.sequenceNumber(i));
      byteLength += RECORD_BYTES + batch.data(i).byteLength;
    }
    return this.#held.hold(batch, part, { byteLength });
  }

  /** Waits before the next read. @throws ShardGoneError, and what no later read can be rid of. */
  async #recover(error: unknown, failures: number, signal: AbortSignal): Promise<void> {
    const { calls, shardIndex, onFailure, onGone, polled } = this.#parts;
    if (calls.closed || !(error instanceof MillraceError)) throw error;
    const retryMs = backOffMs(RETRY_MS, failures);
    onFailure([shardIndex], { attempt: failures, error, retryMs });
    if (error instanceof ResourceNotFoundError) {
      onGone();
      throw new ShardGoneError(shardIndex, error);
    }
    if (error instanceof ExpiredIteratorError) polled.close();
    await pause(calls.clock, retryMs, signal).catch(() => undefined);
  }
}
