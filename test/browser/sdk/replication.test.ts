/** Store and forward in a page: what is put while the network is away, and what a page still sends at its end. */
import { assert } from "chai";
import { type Millrace, open, type Replication } from "millrace";
import { awsFetch } from "millrace/aws";
import { type KinesisOptions, kinesis, type RemoteStream } from "millrace/remote";
import { closeAll, openEngine, readTexts } from "./support.ts";

const realFetch = window.fetch;
const ends: (() => Promise<unknown>)[] = [];

/** A request that AWS's client made. */
interface Seen {
  readonly operation: string;
  readonly keepalive: boolean;
  readonly bytes: number;
}

/** What stands for the network: requests to elsewhere go to another engine of this page, if they are let through. */
class Elsewhere {
  readonly seen: Seen[] = [];
  silent = false;

  constructor(engine: Millrace) {
    const answer = awsFetch(engine);
    window.fetch = async (input, init) => {
      const request = new Request(input, init);
      if (new URL(request.url).hostname !== "elsewhere.test") return await realFetch(input, init);
      const operation = request.headers.get("x-amz-target")?.split(".")[1] ?? "";
      // A request that is made of another one has this in every browser but Firefox.
      const { keepalive } = input instanceof Request ? input : request;
      const entry = { operation, keepalive, bytes: 0 };
      this.seen.push(entry);
      entry.bytes = (await request.clone().arrayBuffer()).byteLength;
      if (this.silent) return await new Promise<never>(() => undefined);
      return await answer(request);
    };
  }
}

async function openStream(options: Partial<KinesisOptions> = {}): Promise<RemoteStream> {
  const backend = kinesis({
    ...{ region: "us-east-1", endpoint: "https://elsewhere.test", deadlineMs: 1500 },
    credentials: async () => ({ accessKeyId: "AKIDEXAMPLE", secretAccessKey: "secret" }),
    ...options,
  });
  const remote = await open({ backend });
  ends.push(() => remote.close());
  return await remote.streams.get("clicks");
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function drained(replication: Replication): Promise<void> {
  await until(async () => (await replication.status()).lagRecords === 0);
}

/** The whole of what this task still does, and nothing of a later one. */
async function microtasks(): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  await new Promise((resolve) => {
    port2.onmessage = resolve;
    port1.postMessage(undefined);
  });
  port1.close();
}

/** A replication that has sent its first record. */
async function shipping() {
  const [here, there] = [await openEngine(), await openEngine()];
  await there.streams.create("clicks");
  const local = await here.streams.create("clicks");
  const elsewhere = new Elsewhere(there);
  const replication = await local.replicateTo(await openStream());
  ends.push(() => replication.stop());
  await local.putRecord({ partitionKey: "a", data: "1" });
  await drained(replication);
  return { there, local, elsewhere, replication };
}

describe("a replication in a page", () => {
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
    window.fetch = realFetch;
    await closeAll();
  });

  it("waits while the browser is offline, and wakes with its event", async () => {
    const { there, local, elsewhere, replication } = await shipping();
    Object.defineProperty(navigator, "onLine", { configurable: true, get: () => false });
    try {
      window.dispatchEvent(new Event("offline"));
      await local.putRecord({ partitionKey: "a", data: "2" });
      await until(async () => (await replication.status()).state === "waiting-offline");
      const puts = (): number =>
        elsewhere.seen.filter(({ operation }) => operation === "PutRecords").length;
      const before = puts();
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.strictEqual(puts(), before);
    } finally {
      Reflect.deleteProperty(navigator, "onLine");
    }
    window.dispatchEvent(new Event("online"));
    await drained(replication);
    const texts = await readTexts(await there.streams.get("clicks"));
    assert.strictEqual(texts.length, 2);
  });

  it("sends what is left in the task of the page's end, for the browser to finish", async () => {
    const { local, elsewhere, replication } = await shipping();
    // One call of the client for the page's end has gone well.
    await until(() => elsewhere.seen.some(({ keepalive }) => keepalive));
    await new Promise((resolve) => setTimeout(resolve, 300));
    elsewhere.silent = true;
    const data = new Uint8Array(1000);
    await local.putRecords(Array.from({ length: 100 }, () => ({ partitionKey: "a", data })));
    await until(() => elsewhere.seen.at(-1)?.operation === "PutRecords");
    elsewhere.seen.length = 0;
    window.dispatchEvent(new PageTransitionEvent("pagehide"));
    await microtasks();
    assert.deepEqual(
      elsewhere.seen.map(({ operation, keepalive }) => ({ operation, keepalive })),
      [{ operation: "PutRecords", keepalive: true }],
    );
    // The page was only put aside, and its engines come back.
    window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
    await until(() => (elsewhere.seen[0]?.bytes ?? 0) > 0);
    assert.isAtMost(elsewhere.seen[0]?.bytes ?? Number.NaN, 65_536);
    assert.isAbove(elsewhere.seen[0]?.bytes ?? 0, 40_000);
    elsewhere.silent = false;
    await drained(replication);
    assert.strictEqual((await replication.status()).copiedRecords, 101);
  });
});
