/** GetRecords: one read of the engine from where the iterator says, and the iterator that goes on. */
import { decodeSlice, type EngineClient, InternalFailureError } from "@millrace/engine";
import { formatIterator, type OutputOf, parseIterator } from "@millrace/engine/model";
import type { FaceCall } from "./calls.ts";
import { recordsOf } from "./record-shapes.ts";

const RECORDS_MAX = 10_000;
/** Data that one call gives, in bytes: 10 MiB. */
const BYTES_MAX = 10_485_760;

/** @throws ExpiredIteratorError, ThroughputExceededError, ResourceNotFoundError, InvalidArgumentError. */
export async function getRecords(
  client: EngineClient,
  { operation, input, caller, signal }: FaceCall<"GetRecords">,
): Promise<OutputOf<"GetRecords">> {
  const iterator = parseIterator(input.ShardIterator);
  const { streamUid, shardIndex, nextIndex, issuedMs, createdSeconds } = iterator;
  const request = {
    call: { operation, caller },
    iterator: { issuedMs, createdSeconds, streamArn: input.StreamARN },
    streamUid,
    cursors: [{ shardIndex, nextIndex }],
    recordsMax: input.Limit ?? RECORDS_MAX,
    bytesMax: BYTES_MAX,
    waitMs: 0,
  };
  const batch = decodeSlice(await client.read(request, signal));
  const [part] = batch.parts;
  if (part === undefined) throw new InternalFailureError("a read of one shard gave none");
  const Records = recordsOf(batch);
  const MillisBehindLatest = part.millisBehindLatest;
  if (part.shardClosed) {
    const ChildShards = await client.call("childShards", { streamUid, shardIndex });
    return { Records, MillisBehindLatest, ChildShards };
  }
  const next = { ...iterator, nextIndex: part.nextIndex, issuedMs: batch.readMs };
  return { Records, MillisBehindLatest, NextShardIterator: formatIterator(next) };
}
