/** The Producer place: records from templates, aggregated and one by one, while other places are looked at. */
import { assert } from "../harness.mjs";
import { served, until } from "../live-page.mjs";
import { find, press, query, textAt, type } from "../streams-page.mjs";

/** Selector of a part of the place. */
export const inProducer = (part) => `millrace-app >>> mill-producer >>> ${part}`;

const inForm = (part) => inProducer(`mill-template-form >>> ${part}`);

/** A number of the table of what was put. */
export async function putCount(page, way, key) {
  const cell = inProducer(`mill-totals-table >>> [data-way=${way}] [data-key=${key}]`);
  return Number((await textAt(page, cell)).replaceAll(",", ""));
}

/** Value of a reading, by its label. */
async function reading(page, label) {
  const value = inProducer(`mill-reading[label="${label}"] >>> .value`);
  return Number((await textAt(page, value)).replaceAll(",", ""));
}

/** Waits until so many user records are stored one way. */
export async function untilPut(page, way, count) {
  await until(`${count} user records are stored, ${way}`, async () => {
    return (await putCount(page, way, "user")) >= count;
  });
}

async function bothWays(browser) {
  await served(browser, "?place=producer", async (page) => {
    await press(page, inProducer("#start"));
    await untilPut(page, "aggregated", 200);
    assert((await putCount(page, "aggregated", "stored")) < 100, "little was aggregated");
    await press(page, inForm("input[name=aggregation]"));
    await untilPut(page, "single", 200);
    assert((await query(page, "aggregation")) === "off", "the address does not say it");
    await type(page, inForm("textarea"), "{{nothing}}");
    await until("the template is refused", async () =>
      (await textAt(page, inForm(".problem"))).includes("no placeholder nothing"),
    );
    const before = await putCount(page, "single", "user");
    await untilPut(page, "single", before + 100);
    await type(page, inForm("textarea"), "n{{counter}}");
    await press(page, "millrace-app >>> nav a[href*='place=storage']");
    await find(page, "millrace-app >>> mill-storage >>> mill-log-panel");
    await press(page, "millrace-app >>> nav a[href*='place=producer']");
    await find(page, inProducer("#stop"));
    assert((await query(page, "data")) === "n{{counter}}", "the template was forgotten");
    await press(page, inProducer("#stop"));
    await find(page, inProducer("#start"));
    await until("all records are settled", async () => {
      const made = await reading(page, "Made");
      const aggregated = await putCount(page, "aggregated", "user");
      const single = await putCount(page, "single", "user");
      return made > 500 && made === aggregated + single;
    });
    for (const way of ["aggregated", "single"]) {
      assert((await putCount(page, way, "failed")) === 0, `records failed, ${way}`);
    }
    const [user, stored] = [
      await putCount(page, "single", "user"),
      await putCount(page, "single", "stored"),
    ];
    assert(user === stored, `${user} user records are ${stored} records of the stream`);
    await press(page, inProducer("#show-code"));
    await find(page, inProducer("mill-drawer >>> dialog[open]"));
    const code = await page.$$eval(inProducer("mill-code-block >>> code"), (blocks) =>
      blocks.map((block) => block.textContent),
    );
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the code that is shown holds it
    assert(code[0].includes("data: `n${i}`"), code[0]);
    assert(code[2].includes("PutRecordsCommand"), code[2]);
  });
}

/** Scenarios of the Producer place. */
export const producerScenarios = [
  {
    name: "the producer makes records from templates, aggregated and one by one",
    run: bothWays,
  },
];
