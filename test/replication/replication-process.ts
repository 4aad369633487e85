/**
 * A process of the tests of replications. `fill` puts records into an engine on a file store; `far` serves the far
 * side behind a chaotic endpoint until its input ends; `ship` replicates until nothing is left, or until it is
 * killed, and prints how far it is; `day` puts for a day of virtual time without a network, and replicates then;
 * `check` reads the far side as a consumer does; `bench` measures a replication against AWS's client alone.
 *
 *     node replication-process.js fill|far|ship|day|bench|check DIRECTORY CORE_WASM RECORDS [URL|SETTINGS]
 */
import { writeSync } from "node:fs";
import { Kinesis } from "@aws-sdk/client-kinesis";
import { openLocal } from "@millrace/engine/local";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { Millrace } from "../../sdk/src/millrace.ts";
import type { PutTarget, TargetRecord } from "../../sdk/src/producer/put-target.ts";
import { kinesis } from "../../sdk/src/remote/kinesis.ts";
import type { KinesisOptions } from "../../sdk/src/remote/kinesis-options.ts";
import type { RemoteMillrace } from "../../sdk/src/remote/remote-millrace.ts";
import type { NetworkWatch } from "../../sdk/src/replication/network.ts";
import { serve } from "../../sdk/src/serve/index.ts";
import { serveUntilTold, startChaos } from "./chaotic-endpoint.ts";
import { orderKey, putOrders, STREAM } from "./orders.ts";

const [mode, directory = "", wasm = "", count = "0", extra = ""] = process.argv.slice(2);
const records = Number(count);
const DATA_BYTES = mode === "day" ? 40 : 300;
const REPORT_MS = 20;
const HOURS = 24;
const HOUR_MS = 3_600_000;
const LOOK_MS = 3000;
const SAMPLE_MS = 500;
const DEADLINE_MS = 1500;
const MEMORY_BUDGET_BYTES = 134_217_728;
/** How `serve` names its engine. */
const SERVED = "kinesis";
const CREDENTIALS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "any" };

function print(message: object): void {
  // Synchronous, so that what was printed has left the process when it is killed.
  writeSync(1, `${JSON.stringify(message)}\n`);
}

async function openEngine(name: string, time: "system" | "virtual" = "system"): Promise<Millrace> {
  const options = { name, storage: "file", directory, quotas: "unlimited", time } as const;
  const client = await openLocal({ ...options, wasm, memoryBudgetBytes: MEMORY_BUDGET_BYTES });
  return new Millrace(client, false);
}

async function openRemote(options: KinesisOptions): Promise<RemoteMillrace> {
  const backend = kinesis({ region: "us-east-1", credentials: CREDENTIALS, ...options });
  return await backend.open({ backend });
}

async function fill(): Promise<void> {
  const engine = await openEngine("near");
  const stream = await engine.streams.ensure(STREAM, { shards: 2 });
  await putOrders(stream, 0, records, DATA_BYTES);
  await engine.close();
}

/** A network that is away for a day. */
class DayOff implements NetworkWatch {
  #tell: () => void = () => undefined;
  #there = false;

  return(): void {
    this.#there = true;
    this.#tell();
  }

  online(): boolean {
    return this.#there;
  }

  onChange(listener: () => void): () => void {
    this.#tell = listener;
    return () => undefined;
  }

  onLeave(): () => void {
    return () => undefined;
  }
}

/** MiB of the heap and of array buffers that are in use. */
function usedMib(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1_048_576;
}

async function day(): Promise<void> {
  const engine = await openEngine("near", "virtual");
  const local = await engine.streams.ensure(STREAM, { shards: 4 });
  const requestHandler = new NodeHttpHandler({});
  const remote = await openRemote({ endpoint: extra, requestHandler });
  const network = new DayOff();
  const far = await remote.streams.get(STREAM);
  const replication = await local.replicateTo(far, { network, hold: true });
  let expiring = 0;
  replication.on("expiring", () => {
    expiring += 1;
  });
  for (let hour = 0; hour < HOURS; hour++) {
    const upTo = (hours: number): number => Math.floor((records * hours) / HOURS);
    await putOrders(local, upTo(hour), upTo(hour + 1), DATA_BYTES);
    await engine.time.advance(HOUR_MS);
    // The first hour's records expire in an hour, and the replication looks at them every few seconds.
    while (hour === HOURS - 2 && (await local.describe()).retentionHours === HOURS) {
      await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    }
  }
  const { state, lagRecords: left = 0 } = await replication.status();
  const held = (await local.describe()).retentionHours;
  const beforeMib = usedMib();
  let mostMib = beforeMib;
  const begunMs = performance.now();
  network.return();
  for (let lag: number | undefined = left; lag !== 0; ) {
    await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
    mostMib = Math.max(mostMib, usedMib());
    lag = (await replication.status()).lagRecords;
  }
  const seconds = (performance.now() - begunMs) / 1000;
  const { retries } = await replication.status();
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  const retentionHours = (await local.describe()).retentionHours;
  print({ state, left, held, expiring, beforeMib, mostMib, seconds, retries, retentionHours });
  await replication.stop();
  await remote.close();
  await engine.close();
}

async function far(): Promise<void> {
  const {
    shards,
    quotas = "aws",
    ...mischief
  } = JSON.parse(extra) as {
    readonly shards: number;
    readonly quotas?: "aws" | "unlimited";
    readonly seed: number;
    readonly chance: number;
  };
  const server = await serve({ port: 0, directory, quotas, wasm });
  const chaos = await startChaos(server.url, mischief, (held) => print({ held }));
  const direct = await openRemote({ endpoint: server.url });
  await direct.streams.ensure(STREAM, { shards });
  await direct.close();
  print({ url: chaos.url, direct: server.url });
  const counts = await serveUntilTold(chaos);
  await server.close();
  print({ counts });
}

async function ship(): Promise<void> {
  const engine = await openEngine("near");
  const requestHandler = new NodeHttpHandler({ connectionTimeout: DEADLINE_MS });
  const remote = await openRemote({ endpoint: extra, requestHandler, deadlineMs: DEADLINE_MS });
  const local = await engine.streams.get(STREAM);
  let replication: Awaited<ReturnType<typeof local.replicateTo>> | undefined;
  while (replication === undefined) {
    try {
      replication = await local.replicateTo(await remote.streams.get(STREAM));
    } catch (error) {
      // The description of the far side may fail by chance, too.
      print({ failed: String(error) });
    }
  }
  replication.on("failed", ({ error }) => print({ failed: String(error) }));
  for (let lag: number | undefined = records; lag !== 0; ) {
    const status = await replication.status();
    lag = status.lagRecords;
    print({ sent: records - (lag ?? records), retries: status.retries, done: lag === 0 });
    if (lag !== 0) await new Promise((resolve) => setTimeout(resolve, REPORT_MS));
  }
  await replication.stop();
  await remote.close();
  await engine.close();
}

/** Replicates as fast as it goes, and has AWS's client send the same calls bare, as many at a time. */
async function bench(): Promise<void> {
  const engine = await openEngine("near");
  const local = await engine.streams.ensure(STREAM, { shards: 2 });
  await putOrders(local, 0, records, DATA_BYTES);
  const remote = await openRemote({ endpoint: extra });
  const far = await remote.streams.get(STREAM);
  const calls: (readonly TargetRecord[])[] = [];
  let atOnce = 0;
  let atOnceMax = 0;
  const target = (): PutTarget => {
    const real = far.target();
    return {
      ...{ name: real.name, orderedBytesMax: real.orderedBytesMax },
      listShards: () => real.listShards(),
      putRecords: async (entries) => {
        calls.push(entries);
        atOnce += 1;
        atOnceMax = Math.max(atOnceMax, atOnce);
        const outcomes = await real.putRecords(entries);
        atOnce -= 1;
        return outcomes;
      },
    };
  };
  const begunMs = performance.now();
  const replication = await local.replicateTo({ name: STREAM, target });
  while ((await replication.status()).lagRecords !== 0) {
    await new Promise((resolve) => setTimeout(resolve, REPORT_MS));
  }
  const replicatedMs = performance.now() - begunMs;
  await replication.stop();
  const client = new Kinesis({ region: "us-east-1", endpoint: extra, credentials: CREDENTIALS });
  const bareMs = performance.now();
  const next = calls.values();
  const sender = async (): Promise<void> => {
    for (const entries of next) {
      const Records = entries.map(({ partitionKey, explicitHashKey, data }) => ({
        ...{ PartitionKey: partitionKey, ExplicitHashKey: explicitHashKey, Data: data },
      }));
      await client.putRecords({ StreamName: STREAM, Records });
    }
  };
  await Promise.all(Array.from({ length: atOnceMax }, sender));
  const perSecond = (ms: number): number => Math.round((records * 1000) / ms);
  print({
    ...{ calls: calls.length, atOnceMax, replicated: perSecond(replicatedMs) },
    bare: perSecond(performance.now() - bareMs),
  });
  client.destroy();
  await remote.close();
  await engine.close();
}

async function readAll(engine: Millrace, repeats: "drop" | "keep"): Promise<string[]> {
  const stream = await engine.streams.get(STREAM);
  const group = await stream.group(`reads-${repeats}`, { from: "TRIM_HORIZON" });
  const texts: string[] = [];
  const worker = group.start(
    () => ({
      processRecords: (input) => {
        for (const { partitionKey, data } of input.records) {
          const text = new TextDecoder().decode(data);
          texts.push(`${partitionKey} ${text.trimEnd()}`);
        }
      },
    }),
    { repeats, batchRecordsMax: 10_000 },
  );
  for (;;) {
    const { leases } = await group.describe();
    if (leases.length > 0 && leases.every(({ lagRecords }) => lagRecords === 0)) break;
    await new Promise((resolve) => setTimeout(resolve, REPORT_MS));
  }
  await worker.stop();
  return texts;
}

async function check(): Promise<void> {
  const engine = await openEngine(SERVED);
  const stored = await readAll(engine, "keep");
  const texts = await readAll(engine, "drop");
  const problems: string[] = [];
  const last = new Map<string, number>();
  for (const text of texts) {
    const [key = "", number = ""] = text.split(" ");
    const value = Number(number);
    if (key !== orderKey(value)) problems.push(`${value} has the key ${key}`);
    if (value <= (last.get(key) ?? -1)) problems.push(`${key}: ${value} after ${last.get(key)}`);
    last.set(key, value);
  }
  if (new Set(texts).size !== records) problems.push(`${new Set(texts).size} different records`);
  print({ read: texts.length, stored: stored.length, problems: problems.slice(0, 10) });
  await engine.close();
}

const modes = { fill, far, ship, day, bench, check };
await modes[mode as keyof typeof modes]();
