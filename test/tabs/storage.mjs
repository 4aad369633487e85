/** What befalls storage while tabs are open: a full quota, data that is cleared, a leader that is frozen. */
import { Candidates } from "./faults.mjs";
import { weigh } from "./rotation.mjs";
import { commandLineOf, pause, processorTimeOf, Tabs, until } from "./tabs.mjs";

const MIB = 2 ** 20;
const STREAM = "storage";
const RECORD_BYTES = 500_000;
const SPINS_MAX = 10;
const LOAD = { lanes: 2, batchRecords: 2, callsMax: 2, dataBytes: 100, pauseMs: 5 };

async function fullQuota(folders) {
  const tabs = await Tabs.start(folders);
  try {
    // Chromium trusts what it knew of the space for half a minute: it must learn of the quota first.
    const keeper = await tabs.openEmpty();
    const override = async (quotaSize) =>
      await keeper.send("Storage.overrideQuotaForOrigin", {
        origin: tabs.origin,
        ...(quotaSize === undefined ? {} : { quotaSize }),
      });
    await override(8 * MIB);
    const tab = await tabs.open({ worker: "worker" });
    const other = await tabs.open({ worker: "worker" });
    await tab.call("makeStream", STREAM, 1);
    let stored = 0;
    const refused = await until("a put is refused", async () => {
      const code = await other.call("putOnce", STREAM, RECORD_BYTES);
      if (code === "") stored += 1;
      return code;
    });
    if (refused !== "StoreFullException") throw new Error(`the put was refused with ${refused}`);
    const { full } = await tab.call("storage");
    if (!full) throw new Error("the storage report does not say that the store is full");
    await override(undefined);
    const again = await until("puts are taken again", async () => {
      const code = await other.call("putOnce", STREAM, RECORD_BYTES);
      return code === "" ? "taken" : undefined;
    });
    const check = await tab.call("check");
    if (check.damage.length > 0) throw new Error(JSON.stringify(check.damage));
    const { events } = await tab.call("told");
    return `${stored} records of ${RECORD_BYTES} bytes, then ${refused}; ${again} once there was room; events ${events.join(" ")}`;
  } finally {
    await tabs.stop();
  }
}

async function clearedData(folders) {
  const tabs = await Tabs.start(folders);
  try {
    const tab = await tabs.open({ worker: "worker" });
    const other = await tabs.open({ worker: "worker" });
    await tab.call("makeStream", STREAM, 1);
    await tab.call("putOnce", STREAM, RECORD_BYTES);
    const before = await tab.call("storage");
    await pause(1_000);
    await tab.send("Storage.clearDataForOrigin", {
      origin: tabs.origin,
      storageTypes: "indexeddb",
    });
    const told = await until("both tabs tell of the loss", async () => {
      // An engine that has nothing to write does not look after its store.
      await tab.call("putOnce", STREAM, 1_000);
      const events = await Promise.all([tab, other].map((one) => one.call("told")));
      return events.every((one) => one.events.some((text) => text.includes("data-loss")))
        ? events
        : undefined;
    });
    const after = await until("the engine works again", async () =>
      tab.call("storage").catch(() => undefined),
    );
    if (after.incarnation === before.incarnation) throw new Error("the incarnation is the same");
    await tab.call("makeStream", STREAM, 1);
    const code = await tab.call("putOnce", STREAM, 1_000);
    if (code !== "") throw new Error(`a put after the loss is refused with ${code}`);
    return told[0].events.join(" ");
  } finally {
    await tabs.stop();
  }
}

/** The renderer of a tab: the one whose processor time grows while the tab's page is busy. */
async function rendererOf(tabs, tab) {
  const renderers = tabs.processes.filter((pid) => commandLineOf(pid).includes("--type=renderer"));
  for (let spins = 0; spins < SPINS_MAX; spins += 1) {
    const before = new Map(renderers.map((pid) => [pid, processorTimeOf(pid)]));
    await tab.call("spin", 1_000);
    const [most, next] = renderers
      .map((pid) => ({ pid, ticks: processorTimeOf(pid) - before.get(pid) }))
      .toSorted((a, b) => b.ticks - a.ticks);
    if (most !== undefined && most.ticks >= 10 && most.ticks > 3 * (next?.ticks ?? 0)) {
      return most.pid;
    }
  }
  throw new Error("no renderer was the busy one");
}

async function frozenLeader(folders) {
  const tabs = await Tabs.start(folders);
  let frozen;
  try {
    const candidates = new Candidates(tabs, { worker: "worker" });
    await candidates.fill();
    const writer = await tabs.open({ worker: "parked" });
    await writer.call("makeStream", STREAM, 2);
    const { tab, status } = await candidates.leader();
    const pid = await rendererOf(tabs, tab);
    await writer.call("produce", { stream: STREAM, producer: "writer", ...LOAD });
    await pause(500);
    process.kill(pid, "SIGSTOP");
    frozen = pid;
    const next = await candidates.leader(status.epoch);
    await pause(1_000);
    process.kill(pid, "SIGCONT");
    frozen = undefined;
    const woken = await until("the old leader follows", async () => {
      const now = await tab.call("member");
      return now.role === "follower" && now.epoch >= next.status.epoch ? now : undefined;
    });
    await pause(500);
    const report = await writer.callFor(90_000, "stop", "writer");
    const { problems, acknowledged } = weigh(await writer.call("readBack", STREAM), [report]);
    if (problems.length > 0) throw new Error(problems.join("\n  "));
    const [outage] = report.outages;
    return (
      `epoch ${status.epoch} frozen, epoch ${next.status.epoch} led after ${outage?.lastedMs.toFixed(0)} ms ` +
      `without an acknowledgement; the woken leader is a ${woken.role}; ${acknowledged} records, each once`
    );
  } finally {
    if (frozen !== undefined) process.kill(frozen, "SIGCONT");
    await tabs.stop();
  }
}

/** Adds the faults of storage to a suite. */
export async function storageTests(suite, folders) {
  await suite.test("a full quota is told, and puts go on when there is room", () =>
    fullQuota(folders),
  );
  await suite.test("data that is cleared while tabs are open is told as lost", () =>
    clearedData(folders),
  );
  await suite.test("a frozen leader is deposed, and follows when it wakes", () =>
    frozenLeader(folders),
  );
}
