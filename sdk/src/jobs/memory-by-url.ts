/** How much memory each worker of a page holds, as Chromium tells it to pages that are cross-origin isolated. */

interface MemoryMeasurement {
  readonly breakdown: readonly {
    readonly bytes: number;
    readonly attribution: readonly { readonly url: string }[];
  }[];
}

function measurement(): (() => Promise<MemoryMeasurement>) | undefined {
  if (globalThis.crossOriginIsolated !== true) return undefined;
  const measure: unknown = Reflect.get(performance, "measureUserAgentSpecificMemory");
  if (typeof measure !== "function") return undefined;
  return async () => (await measure.call(performance)) as MemoryMeasurement;
}

/** Whether this page is told. */
export function measuresMemory(): boolean {
  return measurement() !== undefined;
}

/** Bytes by the URL of the worker, its fragment included; may take half a minute. Empty where it is not told. */
export async function memoryByUrl(): Promise<ReadonlyMap<string, number>> {
  const bytesOf = new Map<string, number>();
  const measured = await measurement()?.();
  for (const { bytes, attribution } of measured?.breakdown ?? []) {
    const [only, ...others] = attribution;
    if (only === undefined || others.length > 0) continue;
    bytesOf.set(only.url, (bytesOf.get(only.url) ?? 0) + bytes);
  }
  return bytesOf;
}
