/** The table of operations and cases, run through every face of the service. */
import { readFile, writeFile } from "node:fs/promises";
import { type OperationName, operations } from "@millrace/engine/model";
import { afterAll, assert, describe, test } from "vitest";
import { cases, nameOf, runCase } from "./all-cases.ts";
import { membersOf, membersToShow, missingErrors } from "./coverage.ts";
import { endFaces, faces } from "./faces.ts";
import { differenceOf, KINESALITE } from "./kinesalite/differences.ts";
import { tableOf } from "./table.ts";
import { NoWordsError, type World } from "./world.ts";

const shown = new Set<string>();

/** The same world, noting which members the answers have. */
function watched(world: World): World {
  return {
    call: async (operation, input) => {
      const output = await world.call(operation, input);
      for (const path of membersOf(operation, output)) shown.add(path);
      return output;
    },
    callRaw: async (operation, input) => {
      const output = await world.callRaw(operation, input);
      for (const path of membersOf(operation, output)) shown.add(path);
      return output;
    },
    get other() {
      return watched(world.other);
    },
    get keys() {
      return world.keys;
    },
    advance: (ms) => world.advance(ms),
    now: () => world.now(),
  };
}

afterAll(endFaces);

for (const face of faces) {
  describe(face.name, () => {
    if (face.problem !== undefined) {
      test.skip(`not run here: ${face.problem}`, () => undefined);
      return;
    }
    for (const one of cases.filter(face.carries)) {
      test(nameOf(one), async ({ skip }) => {
        const opened = await face.open(one.options);
        try {
          await runCase(watched(opened.world), one);
        } catch (error) {
          if (error instanceof NoWordsError) skip(error.message);
          throw error;
        } finally {
          await opened.close();
        }
      });
    }
  });
}

describe("the table", () => {
  test("has a success for every operation", () => {
    const names = (Object.keys(operations) as OperationName[]).filter(
      (name) => !cases.some((one) => one.operation === name && one.error === undefined),
    );
    assert.isEmpty(names);
  });

  test("has a case for every declared error that can be reached", () => {
    const missing = missingErrors(cases);
    assert.isEmpty(missing, missing.join("\n"));
  });

  test("is written down as it is", async () => {
    const file = new URL("./TABLE.md", import.meta.url);
    const names = faces.map(({ name }) => name);
    const table = tableOf(cases, names, {
      name: KINESALITE,
      exception: (one) => differenceOf(one)?.why,
    });
    if (process.env["MILLRACE_WRITE_TABLE"] === "1") await writeFile(file, table);
    assert.equal(await readFile(file, "utf8"), table, "run: npm run table");
  });

  test("shows every output member", () => {
    const missing = (Object.keys(operations) as OperationName[])
      .flatMap(membersToShow)
      .filter((path) => !shown.has(path));
    assert.isEmpty(missing, missing.join("\n"));
  });
});
