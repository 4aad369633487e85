/**
 * Tabs that ship a stream elsewhere and are killed with calls under way, in every way in which a tab goes: the next
 * one goes on, and consumers of the far side have each record once and in order. And a tab that is left in peace,
 * which sends the last with its page's end.
 */
import { bundleProcess, replicated } from "../replication/processes.mjs";
import { pause, Tabs, until, within } from "./tabs.mjs";

/** Calls of the far side that go wrong. */
const CHANCE = 0.4;
/** More than a call takes, as a rule, by which is said how many are answered before a kill: some are to be left. */
const CALL_RECORDS = 1200;
const PATIENCE_MS = 300_000;
/** So long every call that a tab had to make is made, or a page's end is over, in ms. */
const SETTLED_MS = 1000;

/** Opens a tab that ships to an endpoint. */
async function openShipping(tabs, url) {
  const tab = await tabs.open({ worker: "worker" });
  await tab.callFor(PATIENCE_MS, "shipOrders", url);
  return tab;
}

/** Waits until a tab has shipped all, and stops it. */
async function finishShipping(tab) {
  let status;
  const isDone = async () => {
    status = await tab.call("shipping");
    return status.lagRecords === 0;
  };
  await until("all is sent", isDone, PATIENCE_MS);
  await tab.call("stopShipping");
  if (status.failures.length > 0) throw new Error(status.failures.join("; "));
}

/** Opens a tab that hosts the job which ships to an endpoint, once it leads. */
async function openHosting(tabs, url) {
  const tab = await tabs.open({ worker: "worker", jobs: "jobs-worker" });
  await tab.callFor(PATIENCE_MS, "defineShipping", url);
  return tab;
}

/** Waits until the job has shipped all, which none of its worker's ends may have been needed for. */
async function finishJob(tab) {
  let job;
  const isDone = async () => {
    job = await tab.call("job", "ship-orders");
    return job.state === "running" && job.lagRecords === 0;
  };
  await until("all is sent", isDone, PATIENCE_MS);
  if (job.restarts > 0) throw new Error(`it began anew: ${job.lastError?.message}`);
}

/** How tabs ship: by themselves, or as a job that one of them hosts. */
const FORMS = {
  tab: { open: openShipping, finish: finishShipping },
  job: { open: openHosting, finish: finishJob },
};

/** Ways in which a tab goes, each with the tabs that are there then. */
const WAYS = {
  "a crash, and another tab goes on": async (_tabs, [gone, other]) => {
    // A page that crashes does not answer.
    gone.send("Page.crash").catch(() => undefined);
    void pause(2_000).then(() => gone.close());
    return [other];
  },
  "a kill of the browser": async (tabs) => {
    await tabs.killAndRestart();
    return [];
  },
  "a closed tab, and another one goes on": async (_tabs, [gone, other]) => {
    await gone.close();
    return [other];
  },
};

/** Two tabs ship until some calls are answered; then one of them goes, or both. Resolves with what is left. */
async function shipAndKill(tabs, form, before, far, calls, way) {
  const held = far.shutAfter(calls);
  const open = [...before];
  while (open.length < 2) open.push(await form.open(tabs, far.url));
  await within(PATIENCE_MS, held, "a call that is under way at a kill");
  const left = await WAYS[way](tabs, open);
  far.open();
  return left;
}

/** Ships the rest, in a tab that is there or a new one. */
async function shipRest(tabs, form, [there], far) {
  const tab = there ?? (await form.open(tabs, far.url));
  await form.finish(tab);
  const { errors } = await tab.call("told");
  if (errors.length > 0) throw new Error(errors.join("; "));
}

/** Tabs with a stream that is filled, for a while. */
async function withOrders(folders, records, work) {
  const tabs = await Tabs.start(folders);
  try {
    const first = await tabs.open({ worker: "worker" });
    await first.callFor(PATIENCE_MS, "fillOrders", records);
    await first.close();
    return await work(tabs);
  } finally {
    await tabs.stop();
  }
}

async function killAgainAndAgain(folders, command, form, records, ways) {
  const settings = { shards: 3, seed: 1, chance: CHANCE };
  const ship = (far) =>
    withOrders(folders, records, async (tabs) => {
      const begunMs = performance.now();
      let left = [];
      for (const way of ways) {
        const calls = 1 + Math.floor((Math.random() * records) / CALL_RECORDS / (ways.length + 1));
        left = await shipAndKill(tabs, form, left, far, calls, way);
      }
      await shipRest(tabs, form, left, far);
      return ((performance.now() - begunMs) / 1000).toFixed(1);
    });
  const { done, counts, repeats } = await replicated(command, records, settings, (_, far) =>
    ship(far),
  );
  const { calls, refused, dropped, lost, silent, held } = counts;
  return (
    `${records} records, ${ways.length} kills, ${done} s; of ${calls} calls ${refused} refused, ${dropped} dropped, ` +
    `${lost} answers lost, ${silent} never answered, ${held} under way at a kill; ${repeats} repeats are stored, and ` +
    "none is read"
  );
}

/** A page that is left with calls under way makes its last one with nobody there to hear of it. */
async function leave(folders, command, records) {
  const settings = { shards: 1, seed: 1, chance: 0 };
  const ship = (far) =>
    withOrders(folders, records, async (tabs) => {
      const held = far.shutAfter(1);
      const tab = await openShipping(tabs, far.url);
      await held;
      await pause(SETTLED_MS);
      const before = far.heldCalls;
      await tab.goto(tabs.emptyUrl);
      await until("a call of the page's end", () => far.heldCalls > before);
      await pause(SETTLED_MS);
      const last = far.heldCalls - before;
      if (last !== 1) throw new Error(`${last} calls were made by a page that was gone`);
      far.open();
      await shipRest(tabs, FORMS.tab, [], far);
      return before;
    });
  const { done, repeats } = await replicated(command, records, settings, (_, far) => ship(far));
  return `${records} records; ${done} calls under way and the page's last one: ${repeats} repeats are stored`;
}

/** Adds the replications to a suite. */
export async function replicationTests(suite, folders, long) {
  const command = await bundleProcess("replication");
  const all = Object.keys(WAYS);
  const ways = long ? [...all, ...all.slice(0, 2)] : all.slice(0, 2);
  const records = long ? 100_000 : 4000;
  await suite.test(`a replication whose tab is killed ${ways.length} times`, () =>
    killAgainAndAgain(folders, command, FORMS.tab, records, ways),
  );
  await suite.test(`a replication as a job whose tab is killed ${ways.length} times`, () =>
    killAgainAndAgain(folders, command, FORMS.job, records, ways),
  );
  await suite.test("a replication whose page is left", () => leave(folders, command, 4000));
}
