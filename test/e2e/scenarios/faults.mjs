/** The Faults place: every fault befalls the engine, nothing is lost or there twice; a run can be stopped. */
import { assert } from "../harness.mjs";
import { served, until, untilAcknowledged } from "../live-page.mjs";
import { press, textAt } from "../streams-page.mjs";

const PLACE = "millrace-app >>> mill-faults";

/** Names of the faults in the order in which they are run. */
const FAULTS = ["crash", "lead", "fill", "clock", "network"];

/** What the browser says of the one request that is refused on purpose. */
const REFUSED = "console: Failed to load resource: net::ERR_FAILED";

/** Selector of a part of the place. */
export const inFaults = (part) => `${PLACE} >>> ${part}`;

const strikeButton = (fault) =>
  inFaults(`mill-fault-card[data-fault=${fault}] >>> button#strike:not(:disabled)`);

/** The runs that the page lists: the newest first. */
export async function runsShown(page) {
  return await page.$$eval(inFaults("mill-run-table >>> tbody tr"), (rows) =>
    rows.map((row) => {
      const cell = (label) => row.querySelector(`[data-label="${label}"]`).textContent.trim();
      const count = (label) => Number(cell(label).replaceAll(",", ""));
      return {
        fault: row.dataset.fault,
        times: count("Times"),
        before: count("Acknowledged before"),
        after: count("Acknowledged from then on"),
        lost: count("Lost"),
        twice: count("Twice"),
        outage: cell("Longest outage"),
        told: cell("Told"),
        outcome: cell("Outcome").replace(/\s+/g, " "),
      };
    }),
  );
}

/** Waits until so many runs are listed; fails with what a run came to nothing for. */
export async function untilRuns(page, count) {
  await until(`${count} runs are listed`, async () => {
    const notice = await page.$(inFaults("mill-notice >>> section"));
    if (notice !== null) {
      const text = await notice.evaluate((section) => section.textContent);
      assert(false, text.replace(/\s+/g, " "));
    }
    return (await runsShown(page)).length >= count;
  });
}

const courseOf = (page) => textAt(page, inFaults("mill-fault-trace >>> ol"));

async function allFaults(browser) {
  await served(browser, "?rate=100", async (page, _server, complaints) => {
    await untilAcknowledged(page, 50);
    await press(page, "millrace-app >>> nav a[href*='place=faults']");
    await press(page, inFaults("#run-all"));
    assert((await page.title()) === "Faults · Millrace", await page.title());
    for (const count of FAULTS.keys()) await untilRuns(page, count + 1);
    const runs = (await runsShown(page)).toReversed();
    assert(runs.map(({ fault }) => fault).join() === FAULTS.join(), JSON.stringify(runs));
    for (const run of runs) {
      const whole = run.lost === 0 && run.twice === 0 && run.before > 0 && run.after > 0;
      assert(whole && run.outcome.startsWith("Whole and in order"), JSON.stringify(run));
    }
    const [crash, lead, fill] = runs;
    assert(crash.times === 3 && crash.told === "leader-changed 3 times", JSON.stringify(crash));
    assert(lead.times === 3 && lead.told === "leader-changed 3 times", JSON.stringify(lead));
    assert(fill.told === "storage-full 2 times", JSON.stringify(fill));
    const course = await courseOf(page);
    assert(course.includes("Failed to fetch"), `the network was not cut: ${course}`);
    assert(course.includes("The same request: status 200"), `it stayed cut: ${course}`);
    await until("the result is read out", async () =>
      (await textAt(page, inFaults("#summary"))).startsWith("Cut the network: Nothing lost"),
    );
    await press(page, inFaults("#show-code"));
    const code = await until("the code is shown", () =>
      textAt(page, inFaults("mill-faults-code >>> mill-code-block >>> code")),
    );
    assert(code.includes("worker: () =>"), `the code is ${code}`);
    await page.keyboard.press("Escape");
    // The engine of the other places felt nothing of it.
    await press(page, "millrace-app >>> nav a:nth-of-type(2)");
    await untilAcknowledged(page, 200);
    assert(complaints.filter((one) => one === REFUSED).length === 1, complaints.join("; "));
    complaints.splice(complaints.indexOf(REFUSED), 1);
  });
}

async function faultsAfterWrongClock(browser) {
  await served(browser, "?place=faults", async (page) => {
    await press(page, strikeButton("clock"));
    await untilRuns(page, 1);
    const course = await courseOf(page);
    assert(/Nothing expires by it: [1-9][\d,]* records/.test(course), course);
    await page.reload();
    // The log of the bench now knows of times that are two days ahead.
    await press(page, strikeButton("crash"));
    await untilRuns(page, 1);
    const [run] = await runsShown(page);
    assert(run.outcome.startsWith("Whole and in order"), JSON.stringify(run));
  });
}

async function runIsStopped(browser) {
  await served(browser, "?place=faults", async (page, server) => {
    await press(page, strikeButton("lead"));
    await until("records flow", () => page.$(inFaults("mill-fault-trace >>> svg")));
    const { page: other } = await browser.open(`${server.address}?place=faults`);
    await press(other, strikeButton("crash"));
    const refusal = await until("the other tab is refused", () =>
      textAt(other, inFaults("mill-notice >>> section")),
    );
    assert(refusal.includes("another tab"), `the other tab is told ${refusal}`);
    await other.close();
    await page.bringToFront();
    await press(page, inFaults("#stop"));
    await until("it says so", async () =>
      (await textAt(page, inFaults("#summary"))).endsWith("stopped."),
    );
    assert((await runsShown(page)).length === 0, "a run that was stopped is listed");
    await press(page, strikeButton("crash"));
    await until("records flow again", () => page.$(inFaults("mill-fault-trace >>> svg")));
    // Leaving the place breaks a run off; the next one waits until that is cleared away.
    await press(page, "millrace-app >>> nav a[href*='place=storage']");
    await press(page, "millrace-app >>> nav a[href*='place=faults']");
    await press(page, strikeButton("lead"));
    await untilRuns(page, 1);
    assert((await runsShown(page))[0].fault === "lead", "another run is listed");
  });
}

/** Scenarios of the Faults place. */
export const faultsScenarios = [
  { name: "every fault befalls the engine, and nothing is lost", run: allFaults },
  { name: "faults befall an engine whose clock was wrong", run: faultsAfterWrongClock },
  { name: "a run of faults is stopped, and one tab at a time makes one", run: runIsStopped },
];
