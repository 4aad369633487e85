/** A stream that is shipped elsewhere, against AWS's client putting the same batches bare. */
import {
  CreateStreamCommand,
  KinesisClient,
  PutRecordsCommand,
  type PutRecordsCommandInput,
} from "@aws-sdk/client-kinesis";
import { type Millrace, open, type Stream } from "millrace";
import { kinesis, type RemoteMillrace } from "millrace/remote";
import { compare, type Row, type Sample, timed } from "../measure.ts";
import { randomRecords, sizeText } from "../payloads.ts";
import { pipelined } from "../worker-calls.ts";
import { CORE_URL, openStream, putAll, WORKER_URL } from "./engines.ts";

const SHARDS = 4;
const DATA_BYTES = 128;
const PER_CALL = 500;
const RECORDS = 100_000;
const FILL_DEPTH = 8;
/** Calls of the bare client on their way at once: one for each shard, as when a stream is shipped. */
const BARE_DEPTH = SHARDS;

/** The far side: an engine behind AWS's client, which keeps what it was asked to put. */
interface FarSide {
  readonly millrace: Millrace;
  readonly client: KinesisClient;
  readonly remote: RemoteMillrace;
  /** The batches of the last shipping. */
  readonly batches: PutRecordsCommandInput[];
}

async function openFarSide(): Promise<FarSide> {
  const millrace = await open({
    ...{ name: "bench-far", storage: "memory", quotas: "unlimited" },
    ...{ worker: WORKER_URL, wasm: CORE_URL },
  });
  const client = new KinesisClient(millrace.aws());
  const batches: PutRecordsCommandInput[] = [];
  const send: typeof client.send = (command: unknown, ...more: unknown[]) => {
    if (command instanceof PutRecordsCommand) batches.push(command.input);
    return Reflect.apply(client.send, client, [command, ...more]);
  };
  const remote = await open({ backend: kinesis({ client: { send } }) });
  return { millrace, client, remote, batches };
}

async function shipped(stream: Stream, far: FarSide, name: string): Promise<Sample> {
  const target = await far.remote.streams.create(name, { shards: SHARDS });
  far.batches.length = 0;
  let replication: Awaited<ReturnType<Stream["replicateTo"]>> | undefined;
  const sample = await timed(RECORDS, async () => {
    replication = await stream.replicateTo(target, { name });
    const running = replication;
    await new Promise<void>((resolve) => {
      running.on("caught-up", () => resolve());
    });
  });
  await replication?.stop();
  const { copiedRecords = 0 } = (await replication?.status()) ?? {};
  if (copiedRecords !== RECORDS) throw new Error(`${copiedRecords} records were shipped`);
  await far.remote.streams.delete(name);
  return sample;
}

async function bare(far: FarSide, batches: readonly PutRecordsCommandInput[], name: string) {
  await far.client.send(new CreateStreamCommand({ StreamName: name, ShardCount: SHARDS }));
  const sample = await timed(RECORDS, () =>
    pipelined(batches.length, BARE_DEPTH, async (i) => {
      const Records = batches[i]?.Records;
      const { FailedRecordCount } = await far.client.send(
        new PutRecordsCommand({ StreamName: name, Records }),
      );
      if (FailedRecordCount !== 0) throw new Error(`${FailedRecordCount} records were refused`);
    }),
  );
  await far.millrace.streams.delete(name);
  return sample;
}

/** The row of replication, both engines in memory. */
export async function replicationRows(rounds: number): Promise<Row[]> {
  const { millrace, stream } = await openStream("bench-near", "memory", SHARDS);
  const records = Array.from({ length: 8 }, () => randomRecords(PER_CALL, DATA_BYTES));
  await pipelined(RECORDS / PER_CALL, FILL_DEPTH, (i) => putAll(stream, records[i % 8] ?? []));
  const far = await openFarSide();
  let number = 0;
  await shipped(stream, far, "first");
  const batches = [...far.batches];
  const row = await compare(
    {
      name: `replicateTo, ${RECORDS.toLocaleString("en")} x ${sizeText(DATA_BYTES)}, ${SHARDS} shards, in memory`,
      ...{ where: "chromium", unit: "records/s", rounds },
      peer: "the official client putting the same batches bare",
      note: `aggregates with marks, ${batches.length} calls`,
    },
    () => shipped(stream, far, `shipped-${++number}`),
    () => bare(far, batches, `bare-${++number}`),
  );
  await far.remote.close();
  await far.millrace.close();
  await millrace.close();
  return [row];
}
