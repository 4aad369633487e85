/** Candidates for the lead, and the faults that befall whoever has it. */
import { pause, until } from "./tabs.mjs";

const CANDIDATES = 3;
const ASK_MS = 1_000;

/** Names of the faults, in the order in which they rotate. */
export const FAULTS = ["close", "terminate", "crash", "reload", "bfcache", "steal"];

/** Tabs that may lead. One at a time does, and the faults hit it. */
export class Candidates {
  #tabs;
  #query;
  #onOpen;
  #candidates = [];
  /** Tabs that were navigated away, until they come back. */
  #away = [];
  returns = 0;
  notKept = 0;

  /** `onOpen` is awaited for every tab that begins anew. */
  constructor(tabs, query, onOpen = async () => undefined) {
    this.#tabs = tabs;
    this.#query = query;
    this.#onOpen = onOpen;
  }

  /** The tabs that may lead at present. */
  get tabs() {
    return this.#candidates;
  }

  /** Opens as many as are missing. */
  async fill() {
    while (this.#candidates.length < CANDIDATES) {
      const tab = await this.#tabs.open(this.#query);
      await this.#onOpen(tab);
      this.#candidates.push(tab);
    }
  }

  /** The tab that leads, with its status: of several that say so the one of the latest term. */
  async leader(above = 0, patienceMs = undefined) {
    const ask = async () => {
      const found = await Promise.all(this.#candidates.map((tab) => statusOf(tab)));
      const leaders = found.filter(({ status }) => status?.role === "leader");
      const latest = leaders.toSorted((a, b) => b.status.epoch - a.status.epoch)[0];
      return latest !== undefined && latest.status.epoch > above ? latest : undefined;
    };
    return await until("a candidate leads", ask, patienceMs);
  }

  /** Lets a fault befall the leader and waits until another candidate leads. */
  async strike(fault) {
    const { tab, status } = await this.leader();
    const others = this.#candidates.filter((one) => one !== tab);
    await this[`_${fault}`](tab, others);
    const next = await this.leader(status.epoch);
    return next.status.epoch;
  }

  #remove(tab) {
    this.#candidates = this.#candidates.filter((one) => one !== tab);
  }

  async _close(tab) {
    this.#remove(tab);
    await tab.close();
  }

  async _terminate(tab) {
    this.#remove(tab);
    await tab.call("endWorker");
    void pause(2_000).then(() => tab.close());
  }

  async _crash(tab) {
    this.#remove(tab);
    // A page that crashes does not answer.
    tab.send("Page.crash").catch(() => undefined);
    void pause(2_000).then(() => tab.close());
  }

  async _reload(tab) {
    // The page that goes would still answer.
    await tab.evaluate("globalThis.leaving = true");
    await tab.send("Page.reload");
    const isAnother = () => tab.evaluate("globalThis.leaving === undefined", ASK_MS);
    await until(`${tab.name} has another page`, () => isAnother().catch(() => false));
    await tab.ready();
    await this.#onOpen(tab);
  }

  /** One tab is away at a time; the one before comes back. */
  async _bfcache(tab) {
    this.#remove(tab);
    this.#away.push(tab);
    await tab.goto(this.#tabs.emptyUrl);
    if (this.#away.length > 1) await this.comeBack();
  }

  /** Lets the tab that was away longest come back. */
  async comeBack() {
    const tab = this.#away.shift();
    if (tab === undefined) return;
    await tab.evaluate("history.back()");
    await tab.ready();
    const { returns } = await tab.call("told");
    this.returns += returns > 0 ? 1 : 0;
    this.notKept += returns > 0 ? 0 : 1;
    if (returns === 0) await this.#onOpen(tab);
    this.#candidates.push(tab);
  }

  async _steal(_tab, others) {
    await others[0].call("steal");
  }

  /** What the candidates' pages complain of. */
  async complaints() {
    const told = await Promise.all(this.#candidates.map((tab) => tab.call("told")));
    return told.flatMap(({ errors, events }) => [...errors, ...events]);
  }
}

async function statusOf(tab) {
  try {
    return { tab, status: await tab.evaluate("globalThis.tab?.member()", ASK_MS) };
  } catch {
    // The page is going or coming just now.
    return { tab, status: undefined };
  }
}
