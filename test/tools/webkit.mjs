/**
 * WebKitGTK for the tests: its driver and its smallest browser, found or installed, on a display of their
 * own that nobody sees. Linux only.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { findExecutable, isExecutable, requireInstalled } from "./system-packages.mjs";
import { isReady, WebDriverSession } from "./webdriver.mjs";

const START_MS_MAX = 15_000;
const END_MS_MAX = 3000;

/** What a machine without a graphics card needs. */
const SOFTWARE_RENDERING = {
  LIBGL_ALWAYS_SOFTWARE: "1",
  WEBKIT_DISABLE_COMPOSITING_MODE: "1",
  WEBKIT_DISABLE_DMABUF_RENDERER: "1",
};

/** Where distributions put a browser that belongs to the library and not on the PATH. */
function miniBrowsers() {
  const folders = ["/usr/lib", "/usr/libexec", "/usr/lib64"].flatMap((folder) => {
    try {
      const inside = readdirSync(folder, { withFileTypes: true });
      return [
        folder,
        ...inside.filter((e) => e.isDirectory()).map(({ name }) => `${folder}/${name}`),
      ];
    } catch {
      return [];
    }
  });
  return folders.map((folder) => `${folder}/webkit2gtk-4.1/MiniBrowser`).filter(isExecutable);
}

/**
 * Paths of WebKitGTK's driver, its browser and a virtual display; undefined when one of them is missing.
 * Throws when WEBKIT_DRIVER_PATH or WEBKIT_BROWSER_PATH names something that cannot be run.
 */
export function findWebKit(environment = process.env) {
  const driver = findExecutable(
    { variable: "WEBKIT_DRIVER_PATH", commands: ["WebKitWebDriver"] },
    environment,
  );
  const browser = findExecutable(
    { variable: "WEBKIT_BROWSER_PATH", places: miniBrowsers() },
    environment,
  );
  const display = findExecutable({ variable: "XVFB_PATH", commands: ["Xvfb"] }, environment);
  if (driver === undefined || browser === undefined || display === undefined) return undefined;
  return { driver, browser, display };
}

/** The same, installed first where that is allowed. Throws one line of advice. */
export function requireWebKit() {
  return requireInstalled({
    name: "WebKitGTK",
    find: findWebKit,
    packages: ["webkit2gtk-driver", "xvfb", "xauth", "dbus"],
    advice: "install WebKitGTK's driver with its MiniBrowser, and Xvfb (Linux only).",
  });
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Resolves with the first line of a stream, or rejects when the process ends before. */
function firstLine(child, stream, what) {
  return new Promise((resolve, reject) => {
    let text = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk) => {
      text += chunk;
      if (text.includes("\n")) resolve(text.slice(0, text.indexOf("\n")));
    });
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`${what} ended with ${code} before it was ready`)));
  });
}

/** Ends a process, at last by force, and resolves when it is gone. */
async function endProcess(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const force = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX);
  await gone;
  clearTimeout(force);
}

/** A display on a number that is free, and its name. */
async function startDisplay(path) {
  // Descriptor 3 tells the number that the display chose.
  const options = ["-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp"];
  const child = spawn(path, options, { stdio: ["ignore", "ignore", "ignore", "pipe"] });
  const number = await firstLine(child, child.stdio[3], "Xvfb");
  return { child, name: `:${number}` };
}

async function untilReady(driverUrl, child) {
  for (const startMs = performance.now(); performance.now() - startMs < START_MS_MAX; ) {
    if (await isReady(driverUrl)) return;
    if (child.exitCode !== null) throw new Error(`WebKitWebDriver ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`WebKitWebDriver was not ready within ${START_MS_MAX} ms`);
}

/**
 * Starts a display and the driver on a port that is free. `start` begins a browser of its own, with
 * storage that lasts as long as it does; `stop` ends everything that was started here.
 */
export async function startWebKit({ driver, browser, display } = requireWebKit()) {
  const screen = await startDisplay(display);
  const port = await freePort();
  const child = spawn(driver, ["-p", `${port}`], {
    stdio: "ignore",
    env: { ...process.env, ...SOFTWARE_RENDERING, DISPLAY: screen.name },
  });
  const driverUrl = `http://127.0.0.1:${port}`;
  const stop = async () => {
    await endProcess(child);
    await endProcess(screen.child);
  };
  try {
    await untilReady(driverUrl, child);
  } catch (error) {
    await stop();
    throw error;
  }
  const capabilities = {
    browserName: "MiniBrowser",
    // A page with frames that come and go may never finish to load.
    pageLoadStrategy: "none",
    "webkitgtk:browserOptions": { binary: browser, args: ["--automation"] },
  };
  return { start: () => WebDriverSession.start(driverUrl, capabilities), stop };
}
