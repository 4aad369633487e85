/** Bundles the simulation with the engine's sources, or with a mutant of them. */
import { join } from "node:path";
import { rolldown } from "rolldown";
import { ROOT } from "../harness/bundle.mjs";

/** Where the bundles are written. */
export const BUNDLES = join(ROOT, "build", "simulation");

/** Replaces exact pieces of code, each of them once; a piece that is not there is an error. */
function mutation({ name, changes }) {
  const open = new Set(changes);
  return {
    name: `mutant-${name}`,
    transform(code, id) {
      let mutated = code;
      for (const change of changes) {
        if (!id.endsWith(`/${change.file}`)) continue;
        if (mutated.split(change.from).length !== 2) {
          throw new Error(`mutant ${name}: ${change.file} does not hold once: ${change.from}`);
        }
        mutated = mutated.replace(change.from, () => change.to);
        open.delete(change);
      }
      return mutated === code ? null : { code: mutated, map: null };
    },
    buildEnd(failure) {
      if (failure !== undefined || open.size === 0) return;
      const files = [...open].map(({ file }) => file);
      throw new Error(`mutant ${name}: not bundled: ${files.join(", ")}`);
    },
  };
}

/** Bundles the engine as it is, or a mutant; resolves with the path of the script. */
export async function bundleSimulation(mutant) {
  const file = join(BUNDLES, `${mutant?.name ?? "engine"}.mjs`);
  const bundled = await rolldown({
    input: join(ROOT, "test/simulation/seed-process.ts"),
    platform: "node",
    external: [/^node:/],
    plugins: mutant === undefined ? [] : [mutation(mutant)],
    resolve: { conditionNames: ["@millrace/source", "node", "import", "default"] },
    onLog: (level, log, handle) => {
      // Assets that the engine names relative to itself mean nothing here; the core's path is given.
      if (!/(worker|broker)\.js|core\.(scalar\.)?wasm/.test(log.message)) handle(level, log);
    },
  });
  await bundled.write({ file, format: "esm", sourcemap: true, codeSplitting: false });
  await bundled.close();
  return file;
}
