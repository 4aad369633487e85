/** End to end over the built site, in a real Chromium: `node test/e2e/run.mjs` after a build. */
import { runScenarios } from "./harness.mjs";
import { accessibilityScenarios } from "./scenarios/accessibility.mjs";
import { durabilityScenarios } from "./scenarios/durability.mjs";
import { flowScenarios } from "./scenarios/flow.mjs";
import { serverScenarios } from "./scenarios/server.mjs";

await runScenarios([
  ...serverScenarios,
  ...flowScenarios,
  ...durabilityScenarios,
  ...accessibilityScenarios,
]);
