/** What this browser has of what Millrace uses; the table of the engines is made from it. */
import { executeServerCommand } from "@web/test-runner-commands";
import { assert } from "chai";
import { isRequired, probeFeatures } from "./features.ts";

it("the browser has every feature without which there is no engine", async () => {
  const found = await probeFeatures();
  await executeServerCommand("note-features", found);
  assert.isAtLeast(found.filter(isRequired).length, 3);
  assert.deepEqual(
    found.filter((finding) => isRequired(finding) && finding.missing !== null),
    [],
  );
});
