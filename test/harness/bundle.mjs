/** Bundles TypeScript sources of the workspace for a page, a worker or Node, into build/. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

/** Root of the repository. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Folder that bundles of a name are written to. */
export function bundleFolder(name) {
  return join(ROOT, "build", "harness", name);
}

/**
 * Bundles each entry, a path from the root by the name of its output, into one file of its own in
 * {@link bundleFolder}. Minified, as an application ships it.
 */
export async function bundle(
  name,
  entries,
  { platform = "browser", external = [/^node:/], plugins = [] } = {},
) {
  const folder = bundleFolder(name);
  for (const [output, entry] of Object.entries(entries)) {
    const bundled = await rolldown({
      input: join(ROOT, entry),
      platform,
      external,
      plugins,
      resolve: { conditionNames: ["@millrace/source", platform, "import", "default"] },
      onLog: (level, log, handle) => {
        // The package's own URL of its worker means nothing in a bundle; the worker's URL is given.
        if (!/worker\.js|core\.(scalar\.)?wasm/.test(log.message)) handle(level, log);
      },
    });
    await bundled.write({
      file: join(folder, `${output}.js`),
      format: "esm",
      minify: platform === "browser",
      sourcemap: true,
      codeSplitting: false,
    });
    await bundled.close();
  }
  return folder;
}
