/** The page's half of the switch in the service worker that cuts this page off the network. */

/** How long the service worker may take to answer, in ms. */
const ANSWER_MS_MAX = 3000;

/** That the network cannot be cut here. */
export class NoSwitchError extends Error {
  override readonly name = "NoSwitchError";
}

async function serviceWorker(): Promise<ServiceWorker> {
  const registration = await navigator.serviceWorker?.getRegistration();
  if (registration === undefined) {
    throw new NoSwitchError(
      "the network is cut by the site's service worker, and this page has none: it comes with the " +
        "built site, in browsers that have service workers",
    );
  }
  const { active, installing, waiting } = registration;
  const worker = active ?? waiting ?? installing;
  if (active !== null) return active;
  if (worker === null) throw new NoSwitchError("the site's service worker has gone");
  // The page is so new that its service worker is still fetching the site.
  await new Promise<void>((resolve) => {
    worker.addEventListener("statechange", () => {
      if (worker.state === "activated" || worker.state === "redundant") resolve();
    });
  });
  return worker;
}

/** Resolves when the service worker serves this page: a page learns of it after the worker took it over. */
async function served(): Promise<void> {
  const { serviceWorker: workers } = navigator;
  if (workers.controller !== null) return;
  await new Promise<void>((resolve, reject) => {
    const over = new AbortController();
    const timer = setTimeout(() => {
      over.abort();
      reject(new NoSwitchError("the site's service worker does not serve this page: reload it"));
    }, ANSWER_MS_MAX);
    const taken = (): void => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    workers.addEventListener("controllerchange", taken, { signal: over.signal });
  });
}

/**
 * Cuts this page off the network, or ends that. The service worker ends it by itself after 10 s.
 * @throws NoSwitchError where there is no service worker that could.
 */
export async function setNetworkCut(cut: boolean): Promise<void> {
  const worker = await serviceWorker();
  const { port1, port2 } = new MessageChannel();
  const answered = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new NoSwitchError("the site's service worker does not answer")),
      ANSWER_MS_MAX,
    );
    port1.onmessage = () => {
      clearTimeout(timer);
      resolve();
    };
  });
  worker.postMessage({ type: "millrace-network", cut }, [port2]);
  try {
    await answered;
  } finally {
    port1.close();
  }
  if (cut) await served();
}

/** Fetches a file of the site that the service worker keeps; answers what came of it, in words. */
export async function probe(): Promise<string> {
  try {
    const response = await fetch(new URL("icon.svg", document.baseURI), { cache: "no-store" });
    return `status ${response.status}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
