/**
 * A worker, a broker or a core that fails to load half-way: `open()` ends with a typed error that says why,
 * and whatever waits for a worker that cannot be replaced is rejected. Nothing hangs.
 */
import { Tabs } from "../tabs/tabs.mjs";
import { BadAssets } from "./tabs-assets.mjs";

const STREAM = "loading";
/** An opening that fails takes no longer than this, in ms; one that waits for a silent server, the other. */
const FAILURE_MS_MAX = 5_000;
const SILENCE_MS_MAX = 40_000;
/** What waits for a worker that never comes is rejected within this, in ms: three attempts of 10 s and a bit. */
const REJECTION_MS_MAX = 45_000;

const WORKER_FAILURES = [
  { how: "missing", because: /404/ },
  { how: "untyped", because: /text\/plain/ },
  { how: "fallback", because: /text\/html/ },
  { how: "truncated", because: /SyntaxError|syntax/i },
  { how: "dropped", because: /fetch|cut off|network/i },
  { how: "throwing", because: /broken on purpose/ },
  { how: "import-missing", because: /import/ },
  { how: "import-throwing", because: /broken on purpose/ },
  { how: "silent", because: /silent for \d+ ms/, silent: true },
  { how: "stalled", because: /silent for \d+ ms/, silent: true, longOnly: true },
];
const CORE_FAILURES = [
  { how: "missing", because: /404/ },
  { how: "fallback", because: /text\/html/ },
  { how: "truncated", because: /compile/ },
  { how: "dropped", because: /fetch/ },
  { how: "silent", because: /\d+ ms/, silent: true, longOnly: true },
  { how: "stalled", because: /\d+ ms/, silent: true, longOnly: true },
];
/** What a policy forbids: of the page, or of the worker itself. */
const POLICY_FAILURES = [
  {
    what: "the page's CSP forbids workers",
    query: { policy: "no-workers" },
    name: "WorkerLoadError",
    because: /CSP/,
  },
  {
    what: "the worker's CSP forbids to fetch the core",
    query: { worker: "no-connections/worker" },
    name: "WasmLoadError",
    because: /CSP.*connect-src/,
  },
  {
    what: "the worker's CSP forbids Wasm",
    query: { worker: "no-wasm/worker" },
    name: "WasmLoadError",
    because: /wasm-unsafe-eval/,
  },
];
const SEE = "docs/loading.md";
const BROKER_FAILURES = ["missing", "untyped", "fallback", "truncated", "throwing", "silent"];

let engines = 0;

function freshEngine() {
  engines += 1;
  return { engine: `loading-${engines}` };
}

/** Everything that keeps a worker or a core from loading, as the query of a page and what it must say. */
function failures() {
  const worker = WORKER_FAILURES.map(({ how, ...rest }) => ({
    ...{ what: `worker ${how}`, name: "WorkerLoadError", url: `/${how}/worker.js` },
    ...{ query: { worker: `${how}/worker` }, ...rest },
  }));
  const core = CORE_FAILURES.map(({ how, ...rest }) => ({
    ...{ what: `core ${how}`, name: "WasmLoadError", url: `/${how}/core.wasm` },
    ...{ query: { wasm: `${how}/core` }, ...rest },
  }));
  return [...worker, ...core, ...POLICY_FAILURES];
}

/** Opens a page whose engine cannot open, and judges what it says. */
async function judgeFailure(tabs, { what, query, name, url = "", because, silent = false }) {
  const tab = await tabs.visit({ ...freshEngine(), ...query });
  try {
    const outcome = await tab.callFor(SILENCE_MS_MAX + 5_000, "outcome");
    const told = `${what}: ${JSON.stringify(outcome)}`;
    const { message = "" } = outcome;
    if (outcome.name !== name) throw new Error(`${told}: it is no ${name}`);
    if (!because.test(message)) throw new Error(`${told}: the message does not match ${because}`);
    for (const text of [url, SEE]) {
      if (!message.includes(text)) throw new Error(`${told}: the message does not name ${text}`);
    }
    const { errors } = await tab.call("told");
    const uncaught = errors.filter((text) => !text.startsWith("open: "));
    if (uncaught.length > 0) throw new Error(`${told}; uncaught: ${uncaught.join("; ")}`);
    const limit = silent ? SILENCE_MS_MAX : FAILURE_MS_MAX;
    if (outcome.atMs > limit) throw new Error(`${told}: later than ${limit} ms`);
    return { what, name, message, atMs: outcome.atMs };
  } finally {
    await tab.close();
  }
}

async function failedOpenings(tabs, { long, table }, where) {
  const all = failures().filter(({ longOnly }) => long || longOnly !== true);
  const quick = all.filter(({ silent }) => silent !== true);
  const silent = all.filter((one) => !quick.includes(one));
  const told = [];
  for (const failure of quick) told.push(await judgeFailure(tabs, failure));
  // Two by two: a browser opens six connections to a server, and these take them and keep them.
  for (let i = 0; i < silent.length; i += 2) {
    const pair = silent.slice(i, i + 2).map((failure) => judgeFailure(tabs, failure));
    told.push(...(await Promise.all(pair)));
  }
  for (const name of ["WorkerLoadError", "WasmLoadError"]) {
    const own = told.filter((one) => one.name === name);
    table.add({
      fault: `${name === "WasmLoadError" ? "core" : "worker"} that does not load`,
      ...{ where, times: own.length, acknowledged: "-", lost: "nothing", reported: name },
      outageMs: Math.max(...own.map(({ atMs }) => atMs)),
    });
  }
  return told
    .map(({ what, message, atMs }) => `${what} (${atMs.toFixed(0)} ms): ${message}`)
    .join("\n  ");
}

/** A core under the wrong type is a core all the same: it is not compiled from the stream. */
async function untypedCore(tabs) {
  const tab = await tabs.open({ ...freshEngine(), wasm: "untyped/core" });
  await tab.call("makeStream", STREAM, 1);
  const put = await tab.call("tryPut", STREAM);
  await tab.close();
  if (!put.done) throw new Error(JSON.stringify(put));
  return "text/plain is no obstacle";
}

/** Two tabs whose broker does not load talk over the broadcast channel, also after a change of leader. */
async function withoutBroker(tabs, how) {
  const query = { ...freshEngine(), broker: `${how}/broker` };
  const first = await tabs.open(query);
  const second = await tabs.open(query);
  await first.call("makeStream", STREAM, 2);
  const { role, transport } = await second.call("member");
  if (role !== "follower" || transport !== "broadcast") {
    throw new Error(`${how}: the second tab is a ${role} over ${transport}`);
  }
  const puts = [await second.call("tryPut", STREAM)];
  await first.close();
  puts.push(await second.call("tryPut", STREAM));
  const { records } = await second.call("readBack", STREAM);
  const { errors } = await second.call("told");
  await second.close();
  const failed = puts.filter(({ done }) => !done);
  if (failed.length > 0 || records !== 2 || errors.length > 0) {
    throw new Error(`${how}: ${JSON.stringify({ failed, records, errors })}`);
  }
}

async function brokers(tabs, table, where) {
  for (const how of BROKER_FAILURES) await withoutBroker(tabs, how);
  const times = BROKER_FAILURES.length;
  table.add({
    ...{ fault: "broker that does not load", where, times, acknowledged: 2 * times },
    ...{ lost: 0, reported: "member(): broadcast" },
  });
  return `${BROKER_FAILURES.join(", ")}: followers over the broadcast channel, nothing lost`;
}

/** The only tab's worker dies and cannot be loaded again: all that waits is rejected, and says why. */
async function notReplaced(tabs, assets, { path, how, names }) {
  const tab = await tabs.open(freshEngine());
  try {
    await tab.call("makeStream", STREAM, 1);
    assets.break(path, how);
    await tab.call("endWorker");
    const puts = await Promise.all(
      [0, 1, 2].map(() => tab.callFor(REJECTION_MS_MAX + 5_000, "tryPut", STREAM)),
    );
    const later = await tab.callFor(REJECTION_MS_MAX, "tryPut", STREAM);
    const all = [...puts, later];
    const told = `${path} ${how}: ${JSON.stringify(all)}`;
    const wrong = all.some((put) => put.done || !names.includes(put.name));
    if (wrong || later.name !== names[0]) throw new Error(`${told}: no ${names.join(" or ")}`);
    const slowestMs = Math.max(...all.map(({ tookMs }) => tookMs));
    if (slowestMs > REJECTION_MS_MAX) throw new Error(`${told}: too late`);
    return { slowestMs, told: `${path} ${how}: ${names[0]} after ${slowestMs.toFixed(0)} ms` };
  } finally {
    assets.mend(path);
    await tab.close();
  }
}

async function replacements(tabs, assets, { long, table }, where) {
  const all = [
    { path: "/worker.js", how: "missing", names: ["WorkerLoadError"] },
    { path: "/worker.js", how: "truncated", names: ["WorkerLoadError"] },
    // A call may wait for half a minute, an attempt to load for ten seconds.
    {
      ...{ path: "/worker.js", how: "silent", longOnly: true },
      names: ["WorkerLoadError", "DeadlineError"],
    },
    { path: "/wasm/core.wasm", how: "missing", names: ["WasmLoadError"] },
  ];
  const cases = all.filter(({ longOnly }) => long || longOnly !== true);
  const told = [];
  for (const one of cases) told.push(await notReplaced(tabs, assets, one));
  table.add({
    ...{ fault: "worker that dies and cannot be loaded again", where, times: cases.length },
    ...{ acknowledged: 0, lost: "nothing", reported: "WorkerLoadError, WasmLoadError" },
    outageMs: Math.max(...told.map(({ slowestMs }) => slowestMs)),
  });
  return told.map((one) => one.told).join("; ");
}

/** A server that fails once: the second attempt succeeds, and the page learns nothing of it. */
async function replacedLater(tabs, assets) {
  const tab = await tabs.open(freshEngine());
  try {
    await tab.call("makeStream", STREAM, 1);
    assets.break("/worker.js", "missing", 1);
    await tab.call("endWorker");
    const put = await tab.call("tryPut", STREAM);
    if (!put.done) throw new Error(JSON.stringify(put));
    return `the put was acknowledged after ${put.tookMs.toFixed(0)} ms`;
  } finally {
    assets.mend("/worker.js");
    await tab.close();
  }
}

/** While one tab's worker cannot be loaded again the others go on. */
async function othersGoOn(tabs, assets) {
  const query = freshEngine();
  const first = await tabs.open(query);
  await first.call("makeStream", STREAM, 1);
  const second = await tabs.open(query);
  try {
    assets.break("/worker.js", "missing");
    await first.call("endWorker");
    const [own, others] = await Promise.all(
      [first, second].map((tab) => tab.call("tryPut", STREAM)),
    );
    if (own.name !== "WorkerLoadError" || !others.done) {
      throw new Error(JSON.stringify({ own, others }));
    }
    return `the other tab's put took ${others.tookMs.toFixed(0)} ms`;
  } finally {
    assets.mend("/worker.js");
    await first.close();
    await second.close();
  }
}

/** Adds the faults of loading to a suite. */
export async function loadingTests(suite, folders, options) {
  const assets = new BadAssets(folders[0]);
  const tabs = await Tabs.start(folders, { interfere: assets.interfere });
  const where = "any back end";
  try {
    await suite.test("an engine whose worker or core does not load says why, and never hangs", () =>
      failedOpenings(tabs, options, where),
    );
    await suite.test("a core under a wrong type loads", () => untypedCore(tabs));
    await suite.test("tabs whose broker does not load work without it", () =>
      brokers(tabs, options.table, where),
    );
    await suite.test("a worker that dies and cannot be loaded again keeps nobody waiting", () =>
      replacements(tabs, assets, options, where),
    );
    await suite.test("a worker that dies and loads at the second attempt goes on", () =>
      replacedLater(tabs, assets),
    );
    await suite.test("other tabs go on without the one whose worker cannot be loaded", () =>
      othersGoOn(tabs, assets),
    );
  } finally {
    await tabs.stop();
  }
}
