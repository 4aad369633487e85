/** Runs a command with CHROME_PATH set: `node test/tools/with-chromium.mjs <command> [arguments...]`. */
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { requireChromium } from "./chromium.mjs";

const [command, ...commandArguments] = process.argv.slice(2);
if (command === undefined) {
  process.stderr.write("usage: node test/tools/with-chromium.mjs <command> [arguments...]\n");
  process.exit(2);
}

let chromePath;
try {
  chromePath = requireChromium();
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const path = `${join(root, "node_modules", ".bin")}:${process.env.PATH ?? ""}`;
const child = spawn(command, commandArguments, {
  stdio: "inherit",
  env: { ...process.env, PATH: path, CHROME_PATH: chromePath },
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("error", (error) => {
  process.stderr.write(`${command} could not be started: ${error.message}\n`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? (signal === null ? 0 : 1)));
