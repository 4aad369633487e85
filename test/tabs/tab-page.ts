/**
 * A tab of the runs with many tabs. Its query names the engine (`engine`) and where its scripts and its core
 * are (`worker`, `broker`, `wasm`); it opens the engine by itself and does through `globalThis.tab` what the
 * harness asks for.
 */
import { KinesisClient, StartStreamEncryptionCommand } from "@aws-sdk/client-kinesis";
import { type Millrace, MillraceError, open, type Stream } from "millrace";
import { countMarked, type FillSettings, fill, measureStart, putMarked } from "./fill.ts";
import { GroupCopy, type GroupSettings } from "./group-copy.ts";
import { NumberProducer, reportCopies } from "./job-tab.ts";
import { Producer, type ProducerSettings } from "./producer.ts";
import { readBack } from "./read-back.ts";
import { Readers } from "./readers.ts";
import { defineShipping, fillOrders, OrderShipping } from "./replication-tab.ts";

const MIB = 1_048_576;
const query = new URLSearchParams(location.search);
const engineName = query.get("engine") ?? "tabs";
const beganMs = performance.now();

/** The engine worker that the page made last, so that it can be ended behind the page's back. */
let worker: Worker | undefined;
globalThis.Worker = class extends Worker {
  constructor(url: string | URL, options?: WorkerOptions) {
    super(url, options);
    if (!String(url).includes("jobs-worker")) worker = this;
  }
};
/** Times that the page came back from the back/forward cache. */
let returns = 0;
const events: string[] = [];
const errors: string[] = [];

addEventListener("pageshow", (event) => {
  if ("persisted" in event && event.persisted === true) returns += 1;
});
addEventListener("error", ({ message }) => errors.push(message));
addEventListener("unhandledrejection", ({ reason }) => errors.push(`unhandled: ${String(reason)}`));

async function openEngine(): Promise<Millrace> {
  const millrace = await open({
    name: engineName,
    memoryBudgetBytes: Number(query.get("memory") ?? 64) * MIB,
    worker: `/${query.get("worker") ?? "worker"}.js`,
    broker: `/${query.get("broker") ?? "broker"}.js`,
    wasm: `/${query.get("wasm") ?? "wasm/core"}.wasm`,
    jobs: query.has("jobs"),
    jobsWorker: `/${query.get("jobs")}.js`,
  });
  for (const kind of ["data-loss", "records-dropped", "storage-full"] as const) {
    millrace.on(kind, (event) => events.push(JSON.stringify(event)));
  }
  return millrace;
}

const opening = openEngine();
opening.catch((error: unknown) => errors.push(`open: ${String(error)}`));
const producers = new Map<string, Producer>();
let readers: Readers | undefined;
let copying: GroupCopy | undefined;
let numbers: NumberProducer | undefined;
let shipping: OrderShipping | undefined;

async function streamOf(name: string): Promise<Stream> {
  return await (await opening).streams.get(name);
}

/** The code of the error that a call met, empty when it met none. */
async function codeMet(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
    return "";
  } catch (error) {
    return error instanceof MillraceError ? error.code : String(error);
  }
}

/** What a caller can tell of an error. */
function factsOf(error: unknown): Record<string, unknown> {
  if (!(error instanceof MillraceError)) return { name: "unknown", message: String(error) };
  const { name, code, message, argument, value, cause, indeterminate } = error;
  const caused = cause === undefined ? undefined : String(cause);
  return { name, code, message, argument, value, indeterminate, cause: caused };
}

const tab = {
  /** What became of the opening, and when, in ms since the page began. */
  async outcome() {
    try {
      await opening;
      return { opened: true, atMs: performance.now() - beganMs };
    } catch (error) {
      return { opened: false, atMs: performance.now() - beganMs, ...factsOf(error) };
    }
  },
  /** Resolves once the engine is open, with the time since the page began, in ms. */
  async opened() {
    await opening;
    return performance.now() - beganMs;
  },
  member: async () => await (await opening).member(),
  storage: async () => await (await opening).storage(),
  check: async () => await (await opening).check(),
  dataLoss: async () => await (await opening).dataLoss(),
  /** What nobody caught, what the engine told, and how often the page came back. */
  told: () => ({ errors, events, returns }),
  async makeStream(name: string, shards: number) {
    await (await opening).streams.ensure(name, { shards });
  },
  async registerConsumer(stream: string, consumer: string) {
    await (await streamOf(stream)).registerConsumer(consumer);
  },
  /** Puts records from now on, until {@link tab.stop}. */
  async produce(settings: ProducerSettings) {
    const producer = new Producer(await streamOf(settings.stream), settings);
    producers.set(settings.producer, producer);
    producer.start();
  },
  /** Lets a producer come to its end: everything that it put is settled. */
  stop: async (producer: string) => await producers.get(producer)?.stop(),
  /** Records that were acknowledged so far. */
  acknowledged: () => [...producers.values()].reduce((sum, one) => sum + one.acknowledged, 0),
  /** Ends the worker behind the page's back. */
  endWorker: () => worker?.terminate(),
  /** Takes the writer's lock away from whoever holds it and lets go of it at once. */
  async steal() {
    const name = `millrace:${engineName}:writer`;
    await navigator.locks.request(name, { steal: true }, () => undefined);
  },
  readBack: async (stream: string) => await readBack(await streamOf(stream)),
  async startReaders(stream: string, consumer: string) {
    readers = new Readers(await opening, await streamOf(stream), consumer);
    readers.start();
  },
  /** Where the readers have come. */
  readers: () => readers?.report() ?? [],
  /** Begins to work for a consumer group. */
  async startGroup(settings: GroupSettings) {
    copying = await GroupCopy.start(await opening, settings);
  },
  /** Where that work is. */
  groupReport: () => copying?.report(),
  /** Puts one record and leaves the page in the same breath. */
  async putAndLeave(name: string, number: number, to: string) {
    const stream = await streamOf(name);
    const data = new Uint8Array(4);
    new DataView(data.buffer).setUint32(0, number, true);
    void stream.putRecord({ partitionKey: "click", data }).catch(() => undefined);
    location.href = to;
  },
  /** Puts one record; what became of it and how long that took, in ms. */
  async tryPut(name: string) {
    const sentMs = performance.now();
    const took = (): number => performance.now() - sentMs;
    try {
      const data = crypto.getRandomValues(new Uint8Array(1000));
      const stream = await streamOf(name);
      const { sequenceNumber } = await stream.putRecord({ partitionKey: "tried", data });
      return { done: true, tookMs: took(), sequenceNumber };
    } catch (error) {
      return { done: false, tookMs: took(), ...factsOf(error) };
    }
  },
  /** Puts one record; the code of the error that it met, empty when there was none. */
  putOnce: async (name: string, dataBytes: number) =>
    await codeMet(async () => {
      const one = { bytes: dataBytes, recordBytes: dataBytes, batchRecords: 1, callsMax: 1 };
      await fill(await streamOf(name), one);
    }),
  fill: async (name: string, settings: FillSettings) => await fill(await streamOf(name), settings),
  measureStart: async (name: string) => await measureStart(beganMs, opening, name),
  async encrypt(StreamName: string) {
    const client = new KinesisClient((await opening).aws());
    const KeyId = "alias/aws/kinesis";
    const input = { StreamName, EncryptionType: "KMS", KeyId } as const;
    await client.send(new StartStreamEncryptionCommand(input));
  },
  /** Destroys the data keys of a stream for good; the code of the error that it met, empty when there was none. */
  shred: async (name: string) => await codeMet(async () => await (await streamOf(name)).shred()),
  /** Reads all that there is of a stream; the code of the error that it met, empty when there was none. */
  readOnce: async (name: string) => await codeMet(async () => await readBack(await streamOf(name))),
  putMarked: async (name: string, marker: string, count: number) =>
    await putMarked(await streamOf(name), marker, count),
  countMarked: async (name: string, marker: string) =>
    await countMarked(await streamOf(name), marker),
  /** Defines the job that copies numbers, and puts some until {@link tab.stopNumbers}. */
  async produceNumbers(everyMs: number) {
    numbers = new NumberProducer(await opening);
    await numbers.start(everyMs);
  },
  stopNumbers: async () => (await numbers?.stop()) ?? 0,
  job: async (name: string) => await (await opening).jobs.describe(name),
  copies: async () => await reportCopies(await opening),
  fillOrders: async (records: number) => await fillOrders(await opening, records),
  /** Ships the orders to an endpoint from now on. */
  async shipOrders(endpoint: string) {
    shipping = await OrderShipping.start(await opening, endpoint);
  },
  /** Has a job ship them, which this tab may host. */
  defineShipping: async (endpoint: string) => await defineShipping(await opening, endpoint),
  /** How far that is. */
  shipping: async () => await shipping?.report(),
  stopShipping: async () => await shipping?.stop(),
  /** Keeps the processor busy, so that the page's process can be told among others. */
  spin(forMs: number) {
    const endMs = performance.now() + forMs;
    while (performance.now() < endMs);
  },
  close: async () => await (await opening).close(),
};

Object.assign(globalThis, { tab });
