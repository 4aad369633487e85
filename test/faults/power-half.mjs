/**
 * Half an entry at the end of LevelDB's journal, as a power cut may leave it: Chromium writes on behind it,
 * takes it for corruption the next time, and deletes all that the origin has stored, unless the engine has it
 * begin a new journal first.
 */
import { appendFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { killChromium, startChromium, temporaryProfile } from "../harness/chromium-session.mjs";
import { openFaultPage } from "../harness/fault-page.mjs";

/** The header of an entry of LevelDB's: u32 checksum, u16 length, u8 type. */
const HEADER_BYTES = 7;
/** An entry that calls itself longer than what there is of it. */
const ENTRY = { length: 1000, type: 1, there: 40 };
const LANES = 3;
const WRITING_MS = 400;
const OPENINGS = 3;

async function inBrowser(profile, url, work) {
  const browser = await startChromium(profile.path);
  try {
    const { page } = await openFaultPage(browser, url);
    const result = await work(page);
    await page.evaluate(() => globalThis.faultPage.close());
    return result;
  } finally {
    await browser.close();
  }
}

function writeHalfAnEntry(profile) {
  const folder = join(profile.path, "Default", "IndexedDB");
  const [database] = readdirSync(folder).filter((name) => name.endsWith(".leveldb"));
  const journals = readdirSync(join(folder, database)).filter((name) => name.endsWith(".log"));
  const half = Buffer.alloc(HEADER_BYTES + ENTRY.there);
  half.writeUInt16LE(ENTRY.length, 4);
  half.writeUInt8(ENTRY.type, 6);
  for (const journal of journals) appendFileSync(join(folder, database, journal), half);
  return journals.length;
}

/** Adds the test to a suite. */
export async function halfEntryTest(suite, server) {
  await suite.test("half an entry at the end of LevelDB's journal costs nothing", async () => {
    const profile = temporaryProfile("half");
    try {
      const from = { strict: new Array(LANES).fill(0), relaxed: [] };
      const forMs = { strict: WRITING_MS, relaxed: 0 };
      const read = (page) => page.evaluate(() => globalThis.faultPage.readBack());
      const before = await inBrowser(profile, server.url, async (page) => {
        await page.evaluate((...settings) => globalThis.faultPage.write(...settings), from, forMs);
        return await read(page);
      });
      if (writeHalfAnEntry(profile) !== 1) throw new Error("there is not one journal");
      for (let opening = 1; opening <= OPENINGS; opening++) {
        const { streams, losses } = await inBrowser(profile, server.url, read);
        const same = JSON.stringify(streams) === JSON.stringify(before.streams);
        if (same && losses.length === 0) continue;
        const [{ kind = "nothing", reason = "" } = {}] = losses;
        throw new Error(`opening ${opening} finds other records; reported: ${kind}: ${reason}`);
      }
      const runs = before.streams.strict.flatMap((lane) => lane.runs);
      const records = runs.reduce((sum, [first, last]) => sum + last - first + 1, 0);
      if (records === 0) throw new Error("nothing was written");
      return `${records} records, all there at ${OPENINGS} openings`;
    } finally {
      await killChromium(profile.path);
      profile.remove();
    }
  });
}
