/** Every way to begin reading a stream, held against the model of its history. */
import type { OutputOf } from "@millrace/engine/model";
import { type ReadFrom, ResourceNotFoundError } from "millrace";
import { assert } from "vitest";
import type { History, ModelRecord } from "./history.ts";

type IteratorType =
  | "TRIM_HORIZON"
  | "LATEST"
  | "AT_TIMESTAMP"
  | `${"AT" | "AFTER"}_SEQUENCE_NUMBER`;

/** A place in a shard, in AWS's words and in the SDK's, and what stands after it. */
interface Seek {
  readonly place: {
    readonly ShardIteratorType: IteratorType;
    readonly StartingSequenceNumber?: string;
    readonly Timestamp?: Date;
  };
  readonly from: ReadFrom;
  readonly expected: readonly ModelRecord[];
}

/** Numbers and times that are tried in each shard. */
const SAMPLES_MAX = 6;

function atNumber(number: string, after: boolean): Omit<Seek, "expected"> {
  const ShardIteratorType = after ? "AFTER_SEQUENCE_NUMBER" : "AT_SEQUENCE_NUMBER";
  return {
    place: { ShardIteratorType, StartingSequenceNumber: number },
    from: { sequenceNumber: number, after },
  };
}

/** Up to a few of many, evenly, beginning somewhere. */
function sample<Value>(values: readonly Value[], seed: number): Value[] {
  const stride = Math.max(1, Math.floor(values.length / SAMPLES_MAX));
  return values.filter((_, i) => (i + seed) % stride === 0);
}

function seeksIn(
  all: readonly ModelRecord[],
  retained: (record: ModelRecord) => boolean,
  nowMs: number,
  seed: number,
): Seek[] {
  const readable = all.filter(retained);
  const seeks: Seek[] = [
    { place: { ShardIteratorType: "TRIM_HORIZON" }, from: "TRIM_HORIZON", expected: readable },
    { place: { ShardIteratorType: "LATEST" }, from: "LATEST", expected: [] },
  ];
  for (const { number } of sample(all, seed)) {
    const order = BigInt(number);
    seeks.push(
      {
        ...atNumber(number, false),
        expected: readable.filter((one) => BigInt(one.number) >= order),
      },
      { ...atNumber(number, true), expected: readable.filter((one) => BigInt(one.number) > order) },
    );
  }
  const times = all.flatMap(({ arrivalMs }) => [arrivalMs - 1, arrivalMs, arrivalMs + 1]);
  for (const timeMs of new Set([0, ...sample(times, seed), nowMs])) {
    if (timeMs > nowMs) continue;
    const Timestamp = new Date(timeMs);
    seeks.push({
      place: { ShardIteratorType: "AT_TIMESTAMP", Timestamp },
      from: Timestamp,
      expected: readable.filter(({ arrivalMs }) => arrivalMs >= timeMs),
    });
  }
  return seeks;
}

/** What GetRecords brings page by page, down to the members that say how far it has come. */
async function readPages(
  { face, stream, shards, now }: Pick<History, "face" | "stream" | "shards" | "now">,
  ShardId: string,
  place: Seek["place"],
  limit: number,
): Promise<string[]> {
  const start = { StreamName: stream.name, ShardId, ...place };
  const { ShardIterator } = await face.execute("GetShardIterator", start);
  const numbers: string[] = [];
  let iterator: string | undefined = ShardIterator;
  while (iterator !== undefined) {
    const input = { ShardIterator: iterator, Limit: limit };
    const page: OutputOf<"GetRecords"> = await face.execute("GetRecords", input);
    numbers.push(...page.Records.map(({ SequenceNumber }) => SequenceNumber));
    iterator = page.NextShardIterator;
    assert.equal(page.ChildShards === undefined, iterator !== undefined);
    if (page.MillisBehindLatest === 0) break;
    const lastMs = page.Records.at(-1)?.ApproximateArrivalTimestamp?.getTime();
    if (lastMs === undefined) continue;
    assert.equal(page.MillisBehindLatest, Math.max(1, (await now()) - lastMs));
  }
  assert.equal(iterator === undefined, shards.get(ShardId) !== undefined);
  return numbers;
}

async function readTyped(
  { stream }: History,
  from: ReadFrom,
  shard: string | undefined,
): Promise<string[]> {
  const numbers: string[] = [];
  const of = shard === undefined ? {} : { shard };
  for await (const record of stream.read({ from, until: "end", ...of })) {
    numbers.push(record.sequenceNumber);
  }
  return numbers;
}

/** Tries every kind of place in every shard, through GetRecords and through `read()`. */
export async function seekEverywhere(history: History, seed: number): Promise<void> {
  const retained = await history.retained();
  const nowMs = await history.now();
  const bound = { ...history, now: () => history.now() };
  for (const shardId of history.shards.keys()) {
    const all = history.records.filter((record) => record.shardId === shardId);
    if (all.some((record) => !retained(record))) history.note("trimmed");
    for (const [i, { place, from, expected }] of seeksIn(all, retained, nowMs, seed).entries()) {
      const numbers = expected.map(({ number }) => number);
      const what = `${shardId} ${JSON.stringify(place)}`;
      try {
        assert.deepEqual(
          await readPages(bound, shardId, place, 1 + ((seed + i) % 4)),
          numbers,
          what,
        );
        assert.deepEqual(await readTyped(history, from, shardId), numbers, `read: ${what}`);
      } catch (error) {
        const gone = error instanceof ResourceNotFoundError && (await history.mayBeGone(shardId));
        if (!gone) throw error;
        history.note("expired");
        break;
      }
    }
  }
  await readWhole(history, retained, nowMs);
}

/** Reads all shards at once: nothing twice, nothing missing, each key in the order of its puts. */
async function readWhole(
  history: History,
  retained: (record: ModelRecord) => boolean,
  nowMs: number,
): Promise<void> {
  const middle = history.records[history.records.length >> 1];
  const times = [undefined, middle?.arrivalMs, nowMs];
  for (const timeMs of times) {
    const from = timeMs === undefined ? "TRIM_HORIZON" : new Date(timeMs);
    const expected = history.records.filter(
      (record) => retained(record) && record.arrivalMs >= (timeMs ?? 0),
    );
    const numbers = await readTyped(history, from, undefined);
    assert.sameMembers(
      numbers,
      expected.map(({ number }) => number),
      `the whole stream from ${String(from)}`,
    );
    const byNumber = new Map(expected.map((record) => [record.number, record]));
    const lastOf = new Map<string, number>();
    for (const number of numbers) {
      const { key = "", text = "" } = byNumber.get(number) ?? {};
      assert.isAbove(Number(text), lastOf.get(key) ?? -1, `key ${key} is out of order`);
      lastOf.set(key, Number(text));
    }
  }
}
