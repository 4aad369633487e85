/** All suites of the core over one build; `describe` and `it` are those of the runner. */
import { appendSuite } from "./appending.ts";
import type { CoreBuild } from "./build.ts";
import { hashSuite } from "./hashes.ts";
import { modelSuite } from "./model-suite.ts";
import { readingSuite } from "./reading.ts";
import { reshardSuite } from "./reshards.ts";
import { routeSettingsSuite } from "./route-settings.ts";
import { routingSuite } from "./routing.ts";
import { segmentSuite } from "./segments.ts";
import { sequenceSuite } from "./sequence.ts";
import { storedSegmentSuite } from "./stored-segments.ts";

/** Defines every test of the core for one build. */
export function coreSuite(build: CoreBuild): void {
  hashSuite(build);
  routingSuite(build);
  reshardSuite(build);
  routeSettingsSuite(build);
  sequenceSuite(build);
  appendSuite(build);
  segmentSuite(build);
  storedSegmentSuite(build);
  readingSuite(build);
  modelSuite(build);
}
