/**
 * A worker whose clock can be set wrong: what `Date.now()` says in it is off by as much as the page wants,
 * as where somebody changes the time of the machine. The monotonic clock goes on as it is, and everything
 * else in the worker is the engine's own script.
 *
 * Its query: `engine`, the URL of that script; `skew`, by how many ms the clock is wrong at the beginning;
 * `channel`, the broadcast channel on which the page tells other numbers.
 */
const query = new URLSearchParams(globalThis.location.search);
let skewMs = Number(query.get("skew"));

const trueNow = Date.now.bind(Date);
Date.now = () => trueNow() + skewMs;

new BroadcastChannel(query.get("channel") ?? "").onmessage = ({ data }: MessageEvent<number>) => {
  skewMs = data;
};

/** The page speaks as soon as it has made the worker, which is before the engine listens. */
const early: MessageEvent<unknown>[] = [];
const keep = (event: MessageEvent<unknown>): void => {
  early.push(event);
};

async function becomeEngine(): Promise<void> {
  globalThis.addEventListener("message", keep);
  await import(/* @vite-ignore */ query.get("engine") ?? "");
  globalThis.removeEventListener("message", keep);
  for (const { data, ports } of early) {
    globalThis.dispatchEvent(new MessageEvent("message", { data, ports: [...ports] }));
  }
}

becomeEngine().catch(reportError);
