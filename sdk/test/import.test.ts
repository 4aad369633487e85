import { afterEach, expect, it, vi } from "vitest";

/** Globals of pages and workers that a server does not have, or that must not be read at import. */
const GLOBALS = [
  ...["window", "document", "location", "self", "navigator", "localStorage", "sessionStorage"],
  ...["indexedDB", "caches", "Worker", "SharedWorker", "BroadcastChannel", "MessageChannel"],
  ...["fetch", "crypto", "postMessage", "addEventListener", "WebAssembly"],
];

const before = new Map(
  GLOBALS.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)]),
);

afterEach(() => {
  for (const [name, descriptor] of before) {
    if (descriptor === undefined) Reflect.deleteProperty(globalThis, name);
    else Object.defineProperty(globalThis, name, descriptor);
  }
});

it.each([
  "millrace",
  "millrace/plugin",
  "@millrace/engine",
  "@millrace/transform-access-log",
  "@millrace/leases-dynamodb",
])("importing %s touches no global of the browser", async (specifier) => {
  const touched: string[] = [];
  vi.resetModules();
  for (const name of GLOBALS) {
    const value: unknown = Reflect.get(globalThis, name);
    Object.defineProperty(globalThis, name, {
      configurable: true,
      get: () => {
        touched.push(name);
        return value;
      },
    });
  }
  const module: Record<string, unknown> = await import(specifier);
  expect(Object.keys(module).length).toBeGreaterThan(0);
  expect(touched).toEqual([]);
  // The traps do catch: this is what a module that looks at its surroundings would do.
  expect(typeof globalThis.navigator).not.toBe("symbol");
  expect(touched).toEqual(["navigator"]);
});
