/**
 * Pipelines as applications export them, for the tests, which bundle this file for Node's threads. The bundle's file
 * name says what it does besides: `dies` is the longest time in ms that a worker lives with orders.
 */
import { definePipeline } from "millrace";
import { dagOf } from "./dag.ts";

const variant = new URLSearchParams(/([^/]*)\.m?js/.exec(import.meta.url)?.[1]);
const livesMsMax = Number(variant.get("dies") ?? 0);
let dying = false;

/** Has the worker die in the middle of whatever it does, a while after its first order. */
function dieLater(): void {
  if (dying || livesMsMax === 0) return;
  dying = true;
  setTimeout(() => {
    throw new Error("killed by the test");
  }, Math.random() * livesMsMax);
}

/** The pipeline of the tests. */
export const shop = dagOf(2, dieLater);

/**
 * Two stages from `in`, of which the variant decides how they are: `poison` fails at one text, `crash` ends the thread
 * at one, `second` names one of them.
 */
export const twoStages = definePipeline((pipeline) => {
  const input = pipeline.from<string>("in", { format: "text" });
  const poison = variant.get("poison");
  input
    .map((text) => {
      if (text === poison) throw new Error(`met ${text}`);
      if (text === variant.get("crash")) {
        setTimeout(() => {
          throw new Error(`crashed at ${text}`);
        }, 0);
      }
      return text;
    })
    .to("out", { format: "text", stage: "first" });
  input.to("other", { format: "text", stage: variant.get("second") ?? "second" });
});

/** Written down after a while. */
export const later = definePipeline(async (pipeline) => {
  await Promise.resolve();
  pipeline.from("in", { format: "text" }).to("out", { format: "text" });
});

/** No pipelines that can be. */
export const circle = definePipeline((pipeline) => {
  pipeline.from("in").to("out").to("in");
});
export const twins = definePipeline((pipeline) => {
  pipeline.from("in").to("out", { stage: "one" });
  pipeline.from("in").to("other", { stage: "one" });
});
export const empty = definePipeline(() => undefined);
export const fails = definePipeline(() => {
  throw new RangeError("cannot be written down");
});
export const number = 7;
