/** Encryption at rest: no plaintext in the profile's files, what shredding leaves, and what encryption costs. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Tabs } from "./tabs.mjs";

const MIB = 2 ** 20;
const MARKED = 200;
const COST_MAX = 1.1;
const ROUNDS = 7;

function marker() {
  return `marker-${crypto.randomUUID()}-${crypto.randomUUID()}`;
}

/** Files of a folder, at any depth, that hold a text. */
function filesWith(folder, text) {
  const bytes = Buffer.from(text, "latin1");
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => {
      try {
        return readFileSync(file).includes(bytes);
      } catch {
        // Chromium deletes files while the folder is read.
        return false;
      }
    });
}

async function noPlaintext(folders) {
  const tabs = await Tabs.start(folders);
  try {
    const [open, secret] = [marker(), marker()];
    const tab = await tabs.open({ worker: "worker" });
    await tab.call("makeStream", "open", 1);
    await tab.call("makeStream", "secret", 1);
    await tab.call("encrypt", "secret");
    // Side by side, so that they share WAL frames; enough for sealed segments.
    for (const _ of [1, 2, 3]) {
      await Promise.all([
        tab.call("putMarked", "open", open, MARKED),
        tab.call("putMarked", "secret", secret, MARKED),
        tab.call("fill", "secret", { bytes: 4 * MIB, recordBytes: 65_536, batchRecords: 8 }),
      ]);
    }
    const live = filesWith(tabs.profilePath, secret);
    await tab.goto(tabs.emptyUrl);
    await tabs.restart();
    const found = filesWith(tabs.profilePath, open);
    const leaked = [...live, ...filesWith(tabs.profilePath, secret)];
    if (found.length === 0) throw new Error("not even the plaintext of the open stream was found");
    if (leaked.length > 0) throw new Error(`plaintext in ${leaked.join(", ")}`);
    const again = await tabs.open({ worker: "worker" });
    const counts = [
      await again.call("countMarked", "open", open),
      await again.call("countMarked", "secret", secret),
    ];
    if (counts.some((count) => count !== 3 * MARKED)) throw new Error(`read back: ${counts}`);
    return `the open stream's marker in ${found.length} files, the encrypted one's in none; both read back whole`;
  } finally {
    await tabs.stop();
  }
}

/** Code of KeyLostError. */
const KEY_LOST = "KMSInvalidStateException";

/** What is left of a shredded stream and its neighbour, in a tab that opened them anew or did the shredding. */
async function judgeShredded(tab, [shredded, kept], mark) {
  const codes = [await tab.call("readOnce", shredded), await tab.call("putOnce", shredded, 100)];
  if (codes.some((code) => code !== KEY_LOST)) throw new Error(`the shredded stream: ${codes}`);
  const count = await tab.call("countMarked", kept, mark);
  if (count !== MARKED) throw new Error(`${count} records of the neighbour are there`);
  const { errors, events } = await tab.call("told");
  const losses = await tab.call("dataLoss");
  if (errors.length + events.length + losses.length > 0) {
    throw new Error(JSON.stringify({ errors, events, losses }));
  }
}

/** Records that lie in the WAL and in sealed segments are shredded; the stream beside them is not. */
async function shredded(folders) {
  const tabs = await Tabs.start(folders);
  try {
    const marks = [marker(), marker()];
    const names = ["shredded", "kept"];
    const tab = await tabs.open({ worker: "worker" });
    const other = await tabs.open({ worker: "worker" });
    for (const name of names) {
      await tab.call("makeStream", name, 1);
      await tab.call("encrypt", name);
      await tab.call("fill", name, { bytes: 4 * MIB, recordBytes: 65_536, batchRecords: 8 });
    }
    await Promise.all(names.map((name, i) => tab.call("putMarked", name, marks[i], MARKED)));
    const code = await other.call("shred", names[0]);
    if (code !== "") throw new Error(`shredding was refused with ${code}`);
    for (const one of [tab, other]) await judgeShredded(one, names, marks[1]);
    await tabs.killAndRestart();
    const found = marks.flatMap((mark) => filesWith(tabs.profilePath, mark));
    if (found.length > 0) throw new Error(`plaintext in ${found.join(", ")}`);
    const again = await tabs.open({ worker: "worker" });
    await judgeShredded(again, names, marks[1]);
    await again.call("encrypt", names[0]);
    await again.call("putMarked", names[0], marks[0], 3);
    const count = await again.call("countMarked", names[0], marks[0]);
    if (count !== 3) throw new Error(`${count} of 3 records under the next key are there`);
    return (
      `${MARKED} records unreadable in both tabs and after a kill (${KEY_LOST}), its neighbour's ${MARKED} ` +
      "readable, no loss reported, plaintext in no file; the next key serves"
    );
  } finally {
    await tabs.stop();
  }
}

async function cost(folders, long) {
  const tabs = await Tabs.start(folders);
  try {
    const tab = await tabs.open({ worker: "worker", memory: "256" });
    await tab.call("makeStream", "off", 1);
    await tab.call("makeStream", "on", 1);
    await tab.call("encrypt", "on");
    const settings = { bytes: (long ? 64 : 24) * MIB, recordBytes: 65_536, batchRecords: 16 };
    const ratios = [];
    const speeds = { off: [], on: [] };
    for (let round = 0; round <= (long ? ROUNDS : 3); round += 1) {
      const times = {};
      for (const name of round % 2 === 0 ? ["off", "on"] : ["on", "off"]) {
        times[name] = await tab.callFor(120_000, "fill", name, { ...settings, callsMax: 1 });
      }
      // The first round is the one in which everything happens for the first time.
      if (round === 0) continue;
      ratios.push(times.on / times.off);
      for (const name of ["off", "on"])
        speeds[name].push(settings.bytes / MIB / (times[name] / 1_000));
    }
    const middle = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
    const figures =
      `frames of 1 MiB: off ${middle(speeds.off).toFixed(0)} MiB/s, on ${middle(speeds.on).toFixed(0)} MiB/s, ` +
      `time on / off ${middle(ratios).toFixed(3)} (median of ${ratios.length})`;
    if (long && middle(ratios) > COST_MAX) throw new Error(`${figures}: more than ${COST_MAX}`);
    return figures;
  } finally {
    await tabs.stop();
  }
}

/** Adds the runs of encryption to a suite. */
export async function encryptionTests(suite, folders, long) {
  await suite.test("plaintext of an encrypted stream is in no file", () => noPlaintext(folders));
  await suite.test("a shredded stream is unreadable, its neighbour is not", () =>
    shredded(folders),
  );
  await suite.test("what encryption costs", () => cost(folders, long));
}
