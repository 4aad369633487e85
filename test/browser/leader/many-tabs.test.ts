/** Several real workers over one IndexedDB: Web Locks, the shared worker, ports, and leaders that die. */
import { assert } from "chai";
import { deleteDB } from "idb";
import { type Millrace, open, type Stream } from "millrace";
import { IS_WEBKIT } from "../../../engine/host/src/storage/browser-kind.ts";
import { databaseNameOf } from "../../../engine/host/src/storage/indexeddb-store.ts";

const LEADERS = 8;
/**
 * Longest time without an acknowledgement that most changes of leader may cause, in ms: less than the 3 s after which
 * a silent leader is deposed, for a lock tells of this death. In Firefox and WebKit a busy machine takes longer.
 */
const OUTAGE_MS_MAX = "userAgentData" in navigator ? 2500 : 5000;

/** One page's engine, whose worker can be ended from outside without the page's notice. */
interface Tab {
  readonly millrace: Millrace;
  readonly worker: Worker;
}

async function openTab(name: string, relay: boolean): Promise<Tab> {
  let worker: Worker | undefined;
  const millrace = await open({
    name,
    worker: () => {
      worker = new Worker(new URL("../../../engine/host/src/worker.ts", import.meta.url), {
        type: "module",
      });
      return worker;
    },
    ...(relay ? { broker: "/no-such-broker.js" } : {}),
  });
  assert.isDefined(worker);
  return { millrace, worker };
}

async function textsOf(stream: Stream): Promise<string[]> {
  const texts: string[] = [];
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    texts.push(record.text());
  }
  return texts;
}

describe("tabs that share an engine", function () {
  this.timeout(60_000);

  for (const relay of [false, true]) {
    it(`put over ${LEADERS} leaders that die, ${relay ? "without" : "with"} a broker: nothing lost, nothing twice`, async () => {
      const name = `tabs-${crypto.randomUUID()}`;
      const tabs: Tab[] = [];
      for (let i = 0; i < LEADERS; i += 1) tabs.push(await openTab(name, relay));
      const producer = tabs.at(-1);
      assert.isDefined(producer);
      const stream = await producer.millrace.streams.create("clicks", { shards: 1 });
      const expected: string[] = [];
      const outages: number[] = [];
      for (const { worker } of tabs.slice(0, -1)) {
        for (let i = 0; i < 20; i += 1) {
          expected.push(`${expected.length}`);
          await stream.putRecord({ partitionKey: "one", data: `${expected.length - 1}` });
        }
        worker.terminate();
        const startMs = performance.now();
        expected.push(`${expected.length}`);
        await stream.putRecord({ partitionKey: "one", data: `${expected.length - 1}` });
        outages.push(performance.now() - startMs);
      }
      assert.deepEqual(await textsOf(stream), expected);
      const within = outages.filter((outageMs) => outageMs < OUTAGE_MS_MAX);
      assert.isAbove(within.length, outages.length / 2, outages.map(Math.round).join(" "));
      await Promise.all(tabs.map(({ millrace }) => millrace.close()));
      // WebKit keeps a transaction of a worker that was terminated in it until the browser ends, and a deletion
      // of the database waits for that. Its storage ends with the browser.
      if (!IS_WEBKIT) await deleteDB(databaseNameOf(name));
    });
  }
});
