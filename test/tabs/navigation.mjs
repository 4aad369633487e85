/** A record is put in the moment before the page is left: it is there, once. */
import { Tabs } from "./tabs.mjs";

const STREAM = "navigation";

async function leave(folders, times, otherTab) {
  const tabs = await Tabs.start(folders);
  try {
    const maker = await tabs.open({ worker: "worker" });
    await maker.call("makeStream", STREAM, 2);
    if (!otherTab) await maker.close();
    const tab = await tabs.open({ worker: "worker", visit: "0" });
    const beganMs = performance.now();
    for (let number = 0; number < times; number += 1) {
      const next = tabs.urlOf({ worker: "worker", visit: String(number + 1) });
      // The page that is asked may be gone before it can answer.
      await tab.call("putAndLeave", STREAM, number, next).catch(() => undefined);
      await tab.readyAt(next);
    }
    const eachMs = (performance.now() - beganMs) / times;
    const { records, repeats, problems } = await tab.callFor(60_000, "readBack", STREAM);
    if (records !== times || repeats > 0) {
      throw new Error(`${records} records after ${times} visits, ${repeats} of them twice`);
    }
    // Each visit is a producer of its own: what one leaves behind may be put after what the next one puts.
    const order = problems.length === 0 ? "all in order" : `not in order: ${problems.join("; ")}`;
    return `${times} visits, each record there once, ${order}; ${eachMs.toFixed(0)} ms a visit`;
  } finally {
    await tabs.stop();
  }
}

/** Adds the visits to a suite. */
export async function navigationTests(suite, folders, long) {
  const times = long ? 500 : 30;
  await suite.test(`put and navigate away, the only tab, ${times} times`, () =>
    leave(folders, times, false),
  );
  await suite.test(`put and navigate away, another tab open, ${times} times`, () =>
    leave(folders, times, true),
  );
}
