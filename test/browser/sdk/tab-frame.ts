/**
 * A tab of a test, in a frame. Its address names the engine; it opens the engine and a stream and is
 * then at its parent's service, as `globalThis.tab`.
 */
import { type Millrace, open, type Stream } from "millrace";

const query = new URLSearchParams(location.search);

/** What the parent uses. */
export interface Tab {
  readonly millrace: Millrace;
  readonly stream: Stream;
  /** The workers that the engine had so far. */
  readonly workers: readonly Worker[];
}

const workers: Worker[] = [];
const millrace = await open({
  name: query.get("engine") ?? "",
  worker: () => {
    const worker = new Worker(new URL("/engine/host/src/worker.ts", location.href), {
      type: "module",
    });
    workers.push(worker);
    return worker;
  },
  ...(query.has("brokerless")
    ? {
        broker: () => {
          throw new Error("no shared workers here");
        },
      }
    : {}),
});
const stream = await millrace.streams.ensure("clicks", { shards: 2 });
const tab: Tab = { millrace, stream, workers };
Object.assign(globalThis, { tab });
parent.postMessage({ ready: query.get("frame") }, location.origin);
