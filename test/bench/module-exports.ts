/** Exports of the benchmarks' own small Wasm modules, with the types that their sources give them. */

function hasFunctions<Exports>(
  exports: Record<string, unknown>,
  names: readonly string[],
): exports is Record<string, unknown> & Exports {
  return (
    exports["memory"] instanceof WebAssembly.Memory &&
    names.every((name) => typeof exports[name] === "function")
  );
}

/** Instantiates a module of AssemblyScript. @throws Error when a function is missing. */
export async function exportsOf<Exports>(
  module: WebAssembly.Module,
  names: readonly (keyof Exports & string)[],
): Promise<Exports> {
  const { exports } = await WebAssembly.instantiate(module, { env: { abort: () => undefined } });
  if (!hasFunctions<Exports>(exports, names)) throw new Error(`the module lacks one of ${names}`);
  return exports;
}
