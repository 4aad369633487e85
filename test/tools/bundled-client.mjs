/** Serves AWS's client to browser tests as one module: its own are for bundlers, not for browsers. */
import { rolldown } from "rolldown";

const PACKAGE = "@aws-sdk/client-kinesis";
const PATH = "/bundled/client-kinesis.js";

async function bundle(rootDir) {
  const build = await rolldown({ cwd: rootDir, input: PACKAGE, platform: "browser" });
  try {
    const { output } = await build.generate({ format: "esm", codeSplitting: false });
    return output[0].code;
  } finally {
    await build.close();
  }
}

/** Plugin of the test server. The bundle is made when a test first asks for it. */
export function bundledClient() {
  let rootDir = "";
  let code;
  return {
    name: "bundled-client",
    serverStart({ config }) {
      rootDir = config.rootDir;
    },
    resolveImport({ source }) {
      return source === PACKAGE ? PATH : undefined;
    },
    async serve(context) {
      if (context.path !== PATH) return undefined;
      code ??= bundle(rootDir);
      return { body: await code, type: "js" };
    },
  };
}
