/**
 * The part of the service worker that can cut a page off the network: while it is on, every request of
 * that page ends in a network error, as it does without a network and without a cache.
 *
 * It cuts the page that asks for it and no other, and ends by itself: a switch that is forgotten would
 * leave the page without its files. Navigations pass, so that a reload always works.
 */
(() => {
  const CUT_MS_MAX = 10_000;
  /** When the cut of a page ends, by the page's client id. */
  const cuts = new Map();

  function isCut(clientId) {
    return (cuts.get(clientId) ?? 0) > Date.now();
  }

  async function take({ source, data, ports: [answer] }) {
    if (data.cut) {
      // A page that was loaded before this worker was there is not served by it yet.
      await self.clients.claim();
      cuts.set(source.id, Date.now() + CUT_MS_MAX);
    } else {
      cuts.delete(source.id);
    }
    answer.postMessage({ cut: isCut(source.id) });
  }

  self.addEventListener("message", (event) => {
    if (event.data?.type === "millrace-network") event.waitUntil(take(event));
  });

  // Registered before the listener that answers from the cache, so that it is asked first.
  self.addEventListener("fetch", (event) => {
    if (event.request.mode === "navigate" || !isCut(event.clientId)) return;
    event.stopImmediatePropagation();
    event.respondWith(Response.error());
  });
})();
