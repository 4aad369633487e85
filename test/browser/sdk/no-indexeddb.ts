/** Takes IndexedDB away, as some browsers do in private windows; imported before the worker. */
Object.defineProperty(globalThis, "indexedDB", { value: undefined });
