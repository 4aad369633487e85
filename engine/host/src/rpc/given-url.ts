/** Where a worker would come from, of which only the bundler knows. */

/**
 * The URL that `make` gives to the worker that it makes. Where the package's own worker lies only the
 * bundler knows, whose code is behind `make`: no worker is made, its URL is looked at.
 */
export function urlGivenBy(make: () => unknown): string | undefined {
  const { Worker } = globalThis;
  let url: string | undefined;
  class Witness {
    constructor(given: string | URL) {
      url = new URL(given, globalThis.location?.href).href;
    }
  }
  Reflect.set(globalThis, "Worker", Witness);
  try {
    make();
  } catch {
    // What was made is no worker; the URL is known by now, or never will be.
  } finally {
    Reflect.set(globalThis, "Worker", Worker);
  }
  return url;
}
