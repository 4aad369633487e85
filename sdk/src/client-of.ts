/** The engine's client behind what an application holds, for the package's own other entries. */
import type { EngineClient } from "@millrace/engine";

const clients = new WeakMap<object, EngineClient>();

/** Remembers the client of an open engine. */
export function keepClient(owner: object, client: EngineClient): void {
  clients.set(owner, client);
}

/** The client of an open engine. @throws TypeError when `open` did not make the object. */
export function clientOf(owner: object): EngineClient {
  const client = clients.get(owner);
  if (client === undefined)
    throw new TypeError("this is no engine that was opened by this package");
  return client;
}
