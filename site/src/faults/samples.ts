/** The calls behind the Faults place. AWS has none of them: nobody can pull Kinesis's plug. */
import type { CodeSample } from "../live/code-samples.ts";

/** Samples for an engine and a stream of these names. */
export function faultSamples(engineName: string, streamName: string): CodeSample[] {
  const name = JSON.stringify(engineName);
  const stream = JSON.stringify(streamName);
  return [
    {
      heading: "Open an engine whose worker the page can end",
      code: `import { open } from "millrace";

let worker;
const millrace = await open({
  name: ${name},
  worker: () =>
    (worker = new Worker(new URL("@millrace/engine/worker", import.meta.url), { type: "module" })),
});
const stream = await millrace.streams.ensure(${stream}, { shards: 2 });`,
    },
    {
      heading: "End its worker",
      code: `worker.terminate(); // the SDK starts another one, and sends again what was under way`,
    },
    {
      heading: "Take its lock away",
      code: `const lock = ${JSON.stringify(`millrace:${engineName}:writer`)};
await navigator.locks.request(lock, { steal: true }, () => undefined);
console.log(await millrace.member()); // a later epoch, here or in another tab`,
    },
    {
      heading: "Use up its budget",
      code: `import { StoreFullError } from "millrace";

const small = await open({ name: ${name}, storageBudgetBytes: 24 * 1024 * 1024 });
try {
  for (;;) await ballast.putRecords(records); // random data of another stream
} catch (error) {
  if (!(error instanceof StoreFullError)) throw error; // nothing of this call was stored
}
await small.streams.delete("ballast"); // and there is room again`,
    },
    {
      heading: "Set its clock wrong: a worker's script of your own",
      code: `const trueNow = Date.now.bind(Date);
Date.now = () => trueNow() - 3_600_000; // an hour behind
await import("@millrace/engine/worker");`,
    },
    {
      heading: "Refuse every request: in the service worker",
      code: `self.addEventListener("fetch", (event) => event.respondWith(Response.error()));`,
    },
    {
      heading: "Count what is there",
      code: `const acknowledged = new Set(); // filled with the sequence numbers that putRecords answered
for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
  if (!acknowledged.delete(record.sequenceNumber)) console.warn("twice, or never acknowledged");
}
console.log(acknowledged.size, "lost");`,
    },
  ];
}
