/**
 * A process of the test of replicas that are killed. `far` serves a far side that was split and merged while records
 * came, behind a chaotic endpoint, until its input ends; `copy` copies it into an engine on a file store until it has
 * everything, or until it is killed, and prints how far it is; `check` looks at the copy.
 *
 *     node replica-process.js far|copy|check DIRECTORY CORE_WASM RECORDS [URL|SETTINGS]
 */
import { writeSync } from "node:fs";
import { openLocal } from "@millrace/engine/local";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import { Millrace } from "../../sdk/src/millrace.ts";
import { kinesis } from "../../sdk/src/remote/kinesis.ts";
import type { KinesisOptions } from "../../sdk/src/remote/kinesis-options.ts";
import type { RemoteMillrace } from "../../sdk/src/remote/remote-millrace.ts";
import type { RemoteStream } from "../../sdk/src/remote/remote-stream.ts";
import { serve } from "../../sdk/src/serve/index.ts";
import { serveUntilTold, startChaos } from "./chaotic-endpoint.ts";

const [mode, directory = "", wasm = "", count = "0", extra = ""] = process.argv.slice(2);
const records = Number(count);
const STREAM = "orders";
const KEYS = 97;
const DATA_BYTES = 200;
const REPORT_MS = 20;
const DEADLINE_MS = 1500;
/** For so long a copy that has as many records as there are goes on, for what would come twice, in ms. */
const QUIET_MS = 1000;
/** Records of one GetRecords, so that there is always something in the middle. */
const LIMIT = 250;
const MEMORY_BUDGET_BYTES = 134_217_728;
const CREDENTIALS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "any" };

function print(message: object): void {
  // Synchronous, so that what was printed has left the process when it is killed.
  writeSync(1, `${JSON.stringify(message)}\n`);
}

async function openEngine(): Promise<Millrace> {
  const options = { name: "near", storage: "file", directory, quotas: "unlimited" } as const;
  const client = await openLocal({ ...options, wasm, memoryBudgetBytes: MEMORY_BUDGET_BYTES });
  return new Millrace(client, false);
}

async function openRemote(options: KinesisOptions): Promise<RemoteMillrace> {
  const backend = kinesis({ region: "us-east-1", credentials: CREDENTIALS, ...options });
  return await backend.open({ backend });
}

/** Puts a part of the records. */
async function put(stream: RemoteStream, part: number, parts: number): Promise<void> {
  const at = (n: number): number => Math.floor((records * n) / parts);
  const some = Array.from({ length: at(part + 1) - at(part) }, (_, i) => ({
    partitionKey: `key-${(at(part) + i) % KEYS}`,
    data: `${at(part) + i}`.padEnd(DATA_BYTES, " "),
  }));
  const { failedRecordCount } = await stream.putRecords(some);
  if (failedRecordCount > 0) throw new Error("a put was refused");
}

async function far(): Promise<void> {
  const server = await serve({ port: 0, directory, quotas: "unlimited", wasm });
  const direct = await openRemote({ endpoint: server.url });
  const stream = await direct.streams.create(STREAM, { shards: 2 });
  await put(stream, 0, 3);
  const [, high] = await stream.split("shardId-000000000000");
  await put(stream, 1, 3);
  await stream.merge(high?.shardId ?? "", "shardId-000000000001");
  await put(stream, 2, 3);
  await direct.close();
  const chaos = await startChaos(server.url, JSON.parse(extra), (held) => print({ held }));
  print({ url: chaos.url });
  const counts = await serveUntilTold(chaos);
  await server.close();
  print({ counts });
}

/** A handler of an official client that asks for few records at once. */
class SmallReads extends NodeHttpHandler {
  override handle(...[request, settings]: Parameters<NodeHttpHandler["handle"]>) {
    if (request.headers["x-amz-target"]?.endsWith(".GetRecords") === true) {
      const body = Uint8Array.from(request.body as Uint8Array);
      const text = new TextDecoder().decode(body).replace(/"Limit":\d+/, `"Limit":${LIMIT}`);
      request.body = text;
      request.headers["content-length"] = `${Buffer.byteLength(text)}`;
    }
    return super.handle(request, settings);
  }
}

async function copy(): Promise<void> {
  const engine = await openEngine();
  const near = await engine.streams.ensure("copy", { shards: 3 });
  let before = 0;
  for await (const _ of near.read({ from: "TRIM_HORIZON", until: "end" })) before += 1;
  const requestHandler = new SmallReads({ connectionTimeout: DEADLINE_MS });
  const remote = await openRemote({ endpoint: extra, requestHandler, deadlineMs: DEADLINE_MS });
  let stream: RemoteStream | undefined;
  while (stream === undefined) {
    // The description of the far side may fail by chance, too.
    stream = await remote.streams.get(STREAM).catch(() => undefined);
  }
  const replica = await stream.replicateTo(near);
  const failures: string[] = [];
  const fail = (failed: string): void => {
    failures.push(failed);
    print({ failed });
  };
  replica.on("failed", ({ error }) => fail(String(error)));
  replica.on("gap", (gap) => fail(`a gap: ${JSON.stringify(gap)}`));
  let wholeMs = performance.now();
  for (let done = false; !done; ) {
    const { copiedRecords, lagMs, retries } = await replica.status();
    if (before + copiedRecords < records) wholeMs = performance.now();
    done = lagMs === 0 && performance.now() - wholeMs > QUIET_MS;
    print({ copied: copiedRecords, retries, done, failures });
    await new Promise((resolve) => setTimeout(resolve, REPORT_MS));
  }
  await replica.stop();
  await remote.close();
  await engine.close();
}

async function check(): Promise<void> {
  const engine = await openEngine();
  const near = await engine.streams.get("copy");
  const problems: string[] = [];
  const last = new Map<string, number>();
  const seen = new Set<number>();
  let read = 0;
  for await (const record of near.read({ from: "TRIM_HORIZON", until: "end" })) {
    const number = Number(record.text());
    const key = record.partitionKey;
    read += 1;
    seen.add(number);
    if (key !== `key-${number % KEYS}`) problems.push(`${number} has the key ${key}`);
    if (number <= (last.get(key) ?? -1)) problems.push(`${key}: ${number} after ${last.get(key)}`);
    last.set(key, number);
  }
  print({ read, different: seen.size, problems: problems.slice(0, 10) });
  await engine.close();
}

const modes = { far, copy, check };
await modes[mode as keyof typeof modes]();
