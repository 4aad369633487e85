/**
 * The page's default policy for scripts by address: only files of the site itself become workers.
 *
 * The engine starts its worker with a plain address, as any library does; where the browser enforces
 * Trusted Types, this is what lets it, and nothing else. Importing this module installs the policy, and
 * it has to be imported before anything that starts a worker.
 */

interface PolicyFactory {
  createPolicy(name: "default", rules: { createScriptURL(address: string): string }): unknown;
}

function isPolicyFactory(value: unknown): value is PolicyFactory {
  return typeof value === "object" && value !== null && "createPolicy" in value;
}

function ownScriptAddress(address: string): string {
  const { origin } = new URL(address, document.baseURI);
  if (origin === location.origin) return address;
  throw new TypeError(`${address} is not a script of this site`);
}

const factory: unknown = Reflect.get(globalThis, "trustedTypes");
if (isPolicyFactory(factory))
  factory.createPolicy("default", { createScriptURL: ownScriptAddress });
