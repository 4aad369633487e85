/** Engines that ship to each other in the tests: through AWS's client, straight into another engine or over HTTP. */
import type { EngineClient } from "@millrace/engine";
import type { Replication, ReplicationEvent } from "millrace";
import { type Millrace, type OpenOptions, open, type Stream, type UserRecord } from "millrace";
import {
  type KinesisOptions,
  kinesis,
  type RemoteMillrace,
  type RemoteStream,
} from "millrace/remote";
import { clientOf } from "../../src/client-of.ts";
import { REPLICATION_KINDS } from "../../src/replication/replication-types.ts";
import { checkServeOptions } from "../../src/serve/options.ts";
import { serveEngine } from "../../src/serve/server.ts";
import { textOf, until } from "../groups/support.ts";
import { endLater, openRemote } from "../remote/support.ts";

let opened = 0;

/** An engine in this thread that is closed after the test. */
export async function openEngine(options: Partial<OpenOptions> = {}): Promise<Millrace> {
  opened += 1;
  const engine = await open({ name: `replicating-${opened}`, storage: "memory", ...options });
  endLater(() => engine.close());
  return engine;
}

/** The engine as a Kinesis elsewhere, reached through AWS's client. */
export async function remoteOf(
  engine: Millrace,
  options: Partial<KinesisOptions> = {},
): Promise<RemoteMillrace> {
  const { region, credentials, requestHandler } = engine.aws({ protocol: "json" });
  const backend = kinesis({
    ...{ region, credentials, requestHandler, endpoint: "http://elsewhere.test" },
    ...{ pollMs: 200, ...options },
  } as KinesisOptions);
  const remote = await open({ backend });
  endLater(() => remote.close());
  return remote;
}

/** The engine as a Kinesis elsewhere, behind a server of its own and HTTP. */
export async function servedRemoteOf(engine: Millrace): Promise<RemoteMillrace> {
  const server = await serveEngine(clientOf(engine), checkServeOptions({ port: 0 }));
  endLater(() => server.close());
  return await openRemote(server.url);
}

/** Stops it after the test, before the engines are closed. */
export function stopLater(replication: Replication): Replication {
  endLater(() => replication.stop());
  return replication;
}

/** What another tab of the engine has: what is kept for a client is not shared with it. */
export function otherTab(engine: Millrace): EngineClient {
  return new Proxy(clientOf(engine), {
    get: (client, member) => {
      const value: unknown = Reflect.get(client, member, client);
      return typeof value === "function" ? value.bind(client) : value;
    },
  });
}

/** All events from now on. */
export function eventsOf(replication: Replication): ReplicationEvent[] {
  const events: ReplicationEvent[] = [];
  for (const kind of REPLICATION_KINDS) replication.on(kind, (event) => events.push(event));
  return events;
}

/** Resolves when all is sent. */
export async function drained(replication: Replication, patienceMs?: number): Promise<void> {
  await until(async () => (await replication.status()).lagRecords === 0, patienceMs);
}

/** Reads a stream to its end by a group of its own until it is at its end, as a consumer gets it. */
export async function consume(
  stream: Stream,
  count: number,
  options: { readonly group?: string; readonly repeats?: "drop" | "keep" } = {},
): Promise<UserRecord[]> {
  const { group: name = "reader", ...rest } = options;
  const group = await stream.group(name, { from: "TRIM_HORIZON", failoverMs: 2000 });
  const records: UserRecord[] = [];
  const worker = group.start(
    () => ({
      processRecords: (input) => {
        records.push(...input.records);
      },
    }),
    rest,
  );
  try {
    await until(() => records.length >= count, 60_000);
    await until(async () => {
      const { leases } = await group.describe();
      return leases.every((lease) => lease.lagRecords === 0);
    });
  } finally {
    await worker.stop();
  }
  return records;
}

/** Of each partition key, its records' texts in the order in which they came. */
export function byKey(records: readonly UserRecord[]): Map<string, string[]> {
  const keys = new Map<string, string[]>();
  for (const record of records) {
    const texts = keys.get(record.partitionKey) ?? [];
    texts.push(textOf(record));
    keys.set(record.partitionKey, texts);
  }
  return keys;
}

/** Whether each key's numbers come once and rise. @throws with what is wrong. */
export function checkOrder(records: readonly UserRecord[], from: number, to: number): void {
  const seen = new Set<number>();
  for (const [key, texts] of byKey(records)) {
    let last = -1;
    for (const text of texts) {
      const value = Number(text);
      if (value <= last) throw new Error(`${key}: ${value} comes after ${last}`);
      last = value;
      seen.add(value);
    }
  }
  for (let i = from; i < to; i++) if (!seen.has(i)) throw new Error(`${i} is missing`);
  if (seen.size !== to - from) throw new Error(`${seen.size} different records`);
}

/** A far stream of an engine, and the same stream as the engine itself has it. */
export async function farStream(
  engine: Millrace,
  name: string,
  shards: number,
  options?: Partial<KinesisOptions>,
): Promise<{ readonly far: RemoteStream; readonly inside: Stream }> {
  const inside = await engine.streams.ensure(name, { shards });
  const remote = await remoteOf(engine, options);
  return { far: await remote.streams.get(name), inside };
}
