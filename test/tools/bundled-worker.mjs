/**
 * Serves the engine's worker to browser tests as one module, for browsers that load its two hundred sources
 * slowly, and each worker's anew.
 */
import { join } from "node:path";
import { rolldown } from "rolldown";

const WORKER = /^\/engine\/host\/src\/(worker|broker)\.(?:js|ts)$/;

async function bundle(rootDir, name) {
  const build = await rolldown({
    input: join(rootDir, "engine", "host", "src", `${name}.ts`),
    platform: "browser",
    resolve: { conditionNames: ["@millrace/source", "browser", "import", "default"] },
    onLog: (level, log, handle) => {
      // It is served where it was, and finds the core where it did.
      if (!/core\.(scalar\.)?wasm/.test(log.message)) handle(level, log);
    },
  });
  try {
    const { output } = await build.generate({ format: "esm", codeSplitting: false });
    return output[0].code;
  } finally {
    await build.close();
  }
}

/** Plugin of the test server. A bundle is made when a test first asks for it. */
export function bundledWorker() {
  let rootDir = "";
  const codes = new Map();
  return {
    name: "bundled-worker",
    serverStart({ config }) {
      rootDir = config.rootDir;
    },
    async serve(context) {
      const name = WORKER.exec(context.path)?.[1];
      if (name === undefined) return undefined;
      if (!codes.has(name)) codes.set(name, bundle(rootDir, name));
      return { body: await codes.get(name), type: "js" };
    },
  };
}
