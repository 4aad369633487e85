/** Newer builds of page and worker, made from the same sources: with another version, and another schema of the store. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundle, bundleFolder } from "../harness/bundle.mjs";

const VERSION = { file: /rpc[\\/]version\.ts$/, from: '"0.1.0"', to: '"0.2.0"' };
const SCHEMA = {
  file: /storage[\\/]indexeddb-connection\.ts$/,
  from: "SCHEMA_VERSION = 1",
  to: "SCHEMA_VERSION = 2",
};
/** What each build changes in the sources. */
const BUILDS = { newer: [VERSION], upgraded: [VERSION, SCHEMA] };
const ENTRIES = { page: "test/tabs/tab-page.ts", worker: "engine/host/src/worker.ts" };

/** Replaces a text in one source; complains when it is not there. */
function replacing(changes) {
  return {
    name: "newer-build",
    transform(code, id) {
      let changed = code;
      for (const { from, to } of changes.filter(({ file }) => file.test(id))) {
        if (!changed.includes(from)) throw new Error(`${id} has no ${from}`);
        changed = changed.replace(from, to);
      }
      return changed === code ? undefined : { code: changed, map: null };
    },
  };
}

function checkChanged(folder, name) {
  for (const entry of Object.keys(ENTRIES)) {
    const text = readFileSync(join(folder, `${name}-${entry}.js`), "utf8");
    if (!text.includes("0.2.0")) throw new Error(`${name}-${entry}.js is no newer build`);
  }
}

/**
 * Bundles the newer builds into one folder, each with a page of its own: `newer.html` has a newer version and
 * `upgraded.html` a newer schema, too. Resolves with the folder.
 */
export async function bundleNewerBuilds() {
  const folder = bundleFolder("faults-newer");
  for (const [name, changes] of Object.entries(BUILDS)) {
    const entries = Object.fromEntries(
      Object.entries(ENTRIES).map(([output, entry]) => [`${name}-${output}`, entry]),
    );
    await bundle("faults-newer", entries, { plugins: [replacing(changes)] });
    checkChanged(folder, name);
    const script = `<script type="module" src="/${name}-page.js"></script>`;
    writeFileSync(
      join(folder, `${name}.html`),
      `<!doctype html><meta charset="utf-8"><title>test</title>${script}`,
    );
  }
  return folder;
}

/** The query of a page of a build: see {@link bundleNewerBuilds}. */
export function pageOf(name) {
  return { page: `${name}.html`, worker: `${name}-worker` };
}
