/** The calls behind the Storage place. AWS has none of them: they are the SDK's and the command's own. */
import type { CodeSample } from "../live/code-samples.ts";

/** Samples for an engine of a name. */
export function storageSamples(engineName: string): CodeSample[] {
  return [
    {
      heading: "Where the bytes are, and who writes",
      code: `import { open } from "millrace";

const millrace = await open({ name: ${JSON.stringify(engineName)} });
const { storedBytes, walBytes, segments, durable, full } = await millrace.storage();
const { role, epoch, members } = await millrace.member(); // "leader" or "follower"
await millrace.requestPersistence(); // asks the browser never to evict this site's data`,
    },
    {
      heading: "Hear of losses and events",
      code: `millrace.on("data-loss", ({ report }) => alert(report.reason));
millrace.on("records-dropped", ({ streamName, recordCount }) => tell(streamName, recordCount));
millrace.on("storage-full", ({ full }) => setProducersPaused(full));
millrace.on("leader-changed", ({ epoch, here }) => show(epoch, here));`,
    },
    {
      heading: "Check every frame and segment",
      code: `const { records, damage } = await millrace.check();
for (const { kind, where, reason } of damage) console.error(kind, where, reason);`,
    },
    {
      heading: "Durability and a full store, per stream",
      code: `await millrace.streams.create("clicks", { durability: "relaxed", whenFull: "drop-oldest" });`,
    },
    {
      heading: "Export the log, and import it",
      code: `import { importLog } from "millrace";

const file = await new Response(millrace.export()).blob();
await importLog("${engineName}-copy", file); // an engine that does not exist yet`,
    },
    {
      heading: "Command line, for exported files and for directories of millrace serve",
      code: "npx millrace check FILE",
    },
  ];
}
