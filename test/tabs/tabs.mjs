/** A Chromium with many tabs of one origin, each with a page of the runs, driven by its debugger. */
import { readFileSync } from "node:fs";
import {
  killChromium,
  processTreeOf,
  startChromium,
  temporaryProfile,
} from "../harness/chromium-session.mjs";
import { servePages } from "../harness/page-server.mjs";

/** One renderer per tab, so that a crash takes one tab with it. */
const FLAGS = ["--renderer-process-limit=100", "--site-per-process"];
const CALL_MS = 20_000;

/** Waits so many ms. */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Rejects when a promise is not settled in time. */
export function within(ms, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks until the answer is truthy. */
export async function until(what, ask, patienceMs = CALL_MS) {
  const deadlineMs = performance.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (performance.now() > deadlineMs) throw new Error(`${what}: not after ${patienceMs} ms`);
    await pause(10);
  }
}

/** One tab. */
export class Tab {
  #session;
  page;
  name;

  constructor(page, session, name) {
    this.page = page;
    this.#session = session;
    this.name = name;
  }

  /** Sends a command to the tab's debugger. */
  async send(method, parameters = {}, patienceMs = CALL_MS) {
    return await within(
      patienceMs,
      this.#session.send(method, parameters),
      `${this.name} ${method}`,
    );
  }

  /** Evaluates an expression in whatever page the tab shows. */
  async evaluate(expression, patienceMs = CALL_MS) {
    const { result, exceptionDetails } = await this.send(
      "Runtime.evaluate",
      { expression, awaitPromise: true, returnByValue: true },
      patienceMs,
    );
    if (exceptionDetails === undefined) return result.value;
    const { text, exception } = exceptionDetails;
    throw new Error(`${this.name}: ${exception?.description ?? exception?.value ?? text}`);
  }

  /** Calls a function of the page's `tab`. */
  async call(method, ...values) {
    const list = values.map((value) => JSON.stringify(value)).join(", ");
    return await this.evaluate(`globalThis.tab.${method}(${list})`);
  }

  /** As {@link call}, with another patience. */
  async callFor(patienceMs, method, ...values) {
    const list = values.map((value) => JSON.stringify(value)).join(", ");
    return await this.evaluate(`globalThis.tab.${method}(${list})`, patienceMs);
  }

  /** Resolves when the page has its engine open. */
  async ready() {
    await until(`${this.name} has loaded`, () =>
      this.evaluate("globalThis.tab !== undefined").catch(() => false),
    );
    return await this.call("opened");
  }

  /** As {@link ready}, for a page that the tab is on its way to. */
  async readyAt(url) {
    await until(`${this.name} shows ${url}`, () =>
      this.evaluate(
        `location.href === ${JSON.stringify(url)} && globalThis.tab !== undefined`,
        1_000,
      ).catch(() => false),
    );
    return await this.call("opened");
  }

  async goto(url) {
    await this.send("Page.navigate", { url });
  }

  async close() {
    await within(CALL_MS, this.page.close(), `${this.name} closes`).catch(() => undefined);
  }
}

/** A browser, its server and its tabs. */
export class Tabs {
  #count = 0;
  #chromium;
  #server;
  #profile;
  #flags;

  constructor(chromium, server, profile, flags) {
    this.#chromium = chromium;
    this.#server = server;
    this.#profile = profile;
    this.#flags = flags;
  }

  /** `flags` are more flags of the browser; `interfere` is the server's. */
  static async start(folders, { flags = [], interfere } = {}) {
    const server = await servePages({
      folders,
      interfere,
      routes: { "/empty.html": () => "nothing" },
    });
    const profile = temporaryProfile("tabs");
    const all = [...FLAGS, ...flags];
    return new Tabs(await startChromium(profile.path, all), server, profile, all);
  }

  /** Address of a page on which nothing runs. */
  get emptyUrl() {
    return `${this.#server.url}empty.html`;
  }

  get origin() {
    return new URL(this.#server.url).origin;
  }

  get profilePath() {
    return this.#profile.path;
  }

  get processes() {
    return processTreeOf(this.#profile.path);
  }

  /** Address of a page of the runs; `page` is its path when it is not the usual one. */
  urlOf({ page = "", ...query }) {
    return `${this.#server.url}${page}?${new URLSearchParams(query)}`;
  }

  /** Opens a tab; resolves when its engine is open. */
  async open(query) {
    const tab = await this.visit(query);
    await tab.ready();
    return tab;
  }

  /** Opens a tab whose engine may not open. */
  async visit(query) {
    const tab = await this.#newTab(query.worker ?? "worker");
    await tab.goto(this.urlOf(query));
    await until(`${tab.name} has loaded`, () =>
      tab.evaluate("globalThis.tab !== undefined").catch(() => false),
    );
    return tab;
  }

  /** Opens a tab on a page of the origin on which nothing runs. */
  async openEmpty() {
    const tab = await this.#newTab("empty");
    await tab.goto(this.emptyUrl);
    return tab;
  }

  async #newTab(what) {
    this.#count += 1;
    const page = await this.#chromium.newPage();
    const session = await page.createCDPSession();
    const tab = new Tab(page, session, `tab ${this.#count} (${what})`);
    await tab.send("Page.enable");
    return tab;
  }

  /** Kills the browser at once and starts it again on the same profile. */
  async killAndRestart() {
    await killChromium(this.#profile.path);
    await this.#chromium.disconnect();
    this.#chromium = await startChromium(this.#profile.path, this.#flags);
  }

  /** Ends the browser in order and starts it again. */
  async restart() {
    await this.#chromium.close();
    this.#chromium = await startChromium(this.#profile.path, this.#flags);
  }

  async stop() {
    await killChromium(this.#profile.path);
    await this.#chromium.disconnect();
    await this.#server.close();
    this.#profile.remove();
  }
}

/** Command line of one process; empty when it has ended. */
export function commandLineOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Time of the processor that a process has used, in ticks. */
export function processorTimeOf(pid) {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = status.slice(status.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}
