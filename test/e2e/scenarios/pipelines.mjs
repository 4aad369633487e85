/** The Pipelines place: the site's pipeline as a graph, while it runs and after it was stopped. */
import { assert } from "../harness.mjs";
import { served, until } from "../live-page.mjs";
import { find, press } from "../streams-page.mjs";

/** Selector of a part of the place. */
export const inPipelines = (part) => `millrace-app >>> mill-pipelines >>> ${part}`;

/** Records per second that each stage processes, by its name. */
export async function stageRates(page) {
  return await page.$$eval(inPipelines("mill-stage-table >>> tbody tr"), (rows) =>
    Object.fromEntries(rows.map((row) => [row.dataset.stage, Number(row.dataset.processed)])),
  );
}

/** Starts the pipeline and waits until all stages work. */
export async function untilFlowing(page) {
  await press(page, inPipelines("#start:not(:disabled)"));
  await until("all stages process records", async () =>
    Object.values(await stageRates(page)).every((rate) => rate > 0),
  );
}

async function pipelineFlows(browser) {
  await served(browser, "?place=pipelines", async (page) => {
    await untilFlowing(page);
    const stages = Object.keys(await stageRates(page));
    assert(stages.join() === "parse,only-failed,by-status,count", stages.join());
    const drawn = await page.$$eval(inPipelines("mill-pipeline-graph >>> g title"), (titles) =>
      titles.map(({ textContent }) => textContent),
    );
    assert(drawn.length === 9, `the drawing has ${drawn.join()}`);
    await press(page, "millrace-app >>> nav a[href*='place=consumers']");
    await find(
      page,
      "millrace-app >>> mill-consumers >>> mill-group-table >>> [data-group='demo-pipeline.count']",
    );
    const worker = await find(
      page,
      "millrace-app >>> mill-consumers >>> mill-workers-panel >>> [data-state='elsewhere']",
    );
    const said = await worker.evaluate(({ textContent }) => textContent);
    assert(said.includes("this tab, but not started here"), said);
    await press(page, "millrace-app >>> nav a[href*='place=pipelines']");
    await press(page, inPipelines("#stop:not(:disabled)"));
    await find(page, inPipelines("#start:not(:disabled)"));
    await until("the stages stand still", async () => (await stageRates(page)).parse === 0);
  });
}

/** Scenarios of the Pipelines place. */
export const pipelinesScenarios = [
  {
    name: "pipelines: the graph shows what flows, and stands still when stopped",
    run: pipelineFlows,
  },
];
