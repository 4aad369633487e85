/** End to end over the built site, in a real Chromium: `node test/e2e/run.mjs` after a build. */
import { runScenarios } from "./harness.mjs";
import { accessibilityScenarios } from "./scenarios/accessibility.mjs";
import { consumersScenarios } from "./scenarios/consumers.mjs";
import { durabilityScenarios } from "./scenarios/durability.mjs";
import { faultsScenarios } from "./scenarios/faults.mjs";
import { flowScenarios } from "./scenarios/flow.mjs";
import { pipelinesScenarios } from "./scenarios/pipelines.mjs";
import { producerScenarios } from "./scenarios/producer.mjs";
import { recordsScenarios } from "./scenarios/records.mjs";
import { serverScenarios } from "./scenarios/server.mjs";
import { storageScenarios } from "./scenarios/storage.mjs";
import { streamsScenarios } from "./scenarios/streams.mjs";
import { syncScenarios } from "./scenarios/sync.mjs";

const scenarios = [
  ...serverScenarios,
  ...flowScenarios,
  ...streamsScenarios,
  ...recordsScenarios,
  ...durabilityScenarios,
  ...producerScenarios,
  ...consumersScenarios,
  ...pipelinesScenarios,
  ...syncScenarios,
  ...storageScenarios,
  ...faultsScenarios,
  ...accessibilityScenarios,
];
// A word on the command line picks the scenarios whose names contain it.
const [word = ""] = process.argv.slice(2);
await runScenarios(scenarios.filter(({ name }) => name.includes(word)));
