/** Ways to put an application in front of a browser: a tool's own server, or the files that it wrote. */
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { run } from "./installation.mjs";
import { serveFolder } from "./static-server.mjs";

const START_MS = 90_000;

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function environment(policy) {
  return {
    ...process.env,
    CONTENT_SECURITY_POLICY: policy,
    NEXT_TELEMETRY_DISABLED: "1",
    // Colours would be told from a terminal's environment.
    NO_COLOR: "1",
  };
}

/** Runs a script of the application's package.json to its end. */
export async function runScript(folder, script, policy) {
  await run("npm", ["run", script], { cwd: folder, env: environment(policy) });
}

async function answers(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(30_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** Starts a script that serves; `place` makes its arguments from a port. */
export async function serveByScript(folder, script, policy, place) {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  // A group of its own, so that what it starts ends with it.
  const child = spawn("npm", ["run", script, "--", ...place(port)], {
    cwd: folder,
    env: environment(policy),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (text) => {
      output += text;
    });
  }
  const ended = new Promise((resolve) => child.on("close", resolve));
  const stop = async () => {
    if (child.exitCode === null) process.kill(-child.pid, "SIGTERM");
    await ended;
  };
  const deadline = performance.now() + START_MS;
  while (!(await answers(url))) {
    if (child.exitCode !== null || performance.now() > deadline) {
      await stop();
      throw new Error(`npm run ${script} did not serve:\n${output}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  return { url, stop };
}

/** Serves a folder under one policy. */
export async function serveBuilt(folder, policy, { page, headers = {} } = {}) {
  const all = { "cache-control": "no-cache", "content-security-policy": policy };
  return await serveFolder(folder, {
    page,
    headersOf: (path) => ({ ...all, ...(typeof headers === "function" ? headers(path) : headers) }),
  });
}
