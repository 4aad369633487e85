/**
 * The port broker as a page sees it. Apart from everything that workers import: a bundler that finds the
 * broker's URL in a worker would build it inside itself.
 */

/** Where a page gets the port broker from: a URL, or a function that makes the shared worker. */
export type BrokerSource = string | URL | (() => SharedWorker);

function makeBroker(source: BrokerSource | undefined): SharedWorker {
  const name = "millrace-broker-1";
  // Bundlers find the worker by exactly this form of call.
  if (source === undefined)
    return new SharedWorker(new URL("../broker.js", import.meta.url), {
      type: "module",
      name: "millrace-broker-1",
    });
  if (typeof source === "function") return source();
  const url = new URL(source, globalThis.location?.href);
  return new SharedWorker(url, { type: "module", name });
}

/**
 * A new connection to the broker, which starts when there is none; undefined where there can be none. One
 * that does not load answers nothing, and contexts then talk without it.
 */
export function connectBroker(source: BrokerSource | undefined): MessagePort | undefined {
  try {
    return makeBroker(source).port;
  } catch {
    return undefined;
  }
}
