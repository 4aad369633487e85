/** What is checked of a shard iterator before anything is read for it. */
import {
  ExpiredIteratorError,
  InvalidArgumentError,
  ResourceNotFoundError,
} from "../errors/index.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import { shardIdOf } from "../sequence/sequence-number.ts";
import { streamArn } from "../streams/arns.ts";
import type { Catalogue } from "../streams/catalogue.ts";
import type { IteratorStamp } from "./engine-service.ts";

/** How long an iterator is good, in ms: 5 minutes. */
export const ITERATOR_MS_MAX = 300_000;

/** A time as AWS's message writes it: `Fri Jul 05 18:26:14 UTC 2013`. */
function written(timeMs: number): string {
  const [day = "", date = "", month = "", year = "", time = ""] = new Date(timeMs)
    .toUTCString()
    .split(" ");
  return `${day.slice(0, 3)} ${month} ${date} ${time} UTC ${year}`;
}

/**
 * Refuses an iterator that is used with the ARN of another stream.
 * @throws InvalidArgumentError, and ResourceNotFoundError when there is no such stream.
 */
export function checkIteratorStream(
  catalogue: Catalogue,
  stream: StreamDefinition,
  StreamARN: string | undefined,
): void {
  if (StreamARN === undefined) return;
  const named = catalogue.resolve({ StreamARN });
  if (named.uid === stream.uid) return;
  throw new InvalidArgumentError(
    `The ShardIterator belongs to stream ${stream.name} and not to ${named.name}.`,
    { argument: "StreamARN", value: streamArn(named.name) },
  );
}

/**
 * Refuses an iterator that is too old, or that was made for a shard of a deleted stream of the same name.
 * `nowMs` is ms since the Unix epoch.
 *
 * @throws ExpiredIteratorError, ResourceNotFoundError.
 */
export function checkIterator(
  stamp: IteratorStamp,
  stream: StreamDefinition,
  shardIndex: number,
  nowMs: number,
): void {
  const { issuedMs, createdSeconds } = stamp;
  if (nowMs - issuedMs > ITERATOR_MS_MAX) {
    throw new ExpiredIteratorError(
      `Iterator expired. The iterator was created at time ${written(issuedMs)} while right now it is ` +
        `${written(nowMs)} which is further in the future than the tolerated delay of ` +
        `${ITERATOR_MS_MAX} milliseconds.`,
      { argument: "ShardIterator", value: issuedMs, limit: ITERATOR_MS_MAX },
    );
  }
  const shard = stream.shards.find((candidate) => candidate.shardIndex === shardIndex);
  if (shard?.createdSeconds !== createdSeconds) {
    throw ResourceNotFoundError.shard(shardIdOf(shardIndex), stream.name);
  }
}
