/**
 * `open` and `importLog` for pages that cannot serve the engine's files: its worker comes inside the page's own
 * script. Everything else is imported from `millrace` as ever.
 */
import { WorkerLoadError } from "@millrace/engine";
import { type InlineParts, inlineParts } from "@millrace/engine/inline";
import type { ImportReport, ImportSource } from "./archive.ts";
import type { Millrace } from "./millrace.ts";
import {
  type ImportOptions,
  importLog as importLogFromFiles,
  type OpenOptions,
  open as openFromFiles,
} from "./open.ts";

/** Nothing where there are no workers: the engine then runs in this thread, from its own files. */
function partsHere(): InlineParts | undefined {
  if (typeof Worker === "undefined") return undefined;
  const parts = inlineParts();
  if (parts !== undefined) return parts;
  throw new WorkerLoadError("the inline engine is part of the built package only", {
    argument: "worker",
  });
}

/** As `open` of `millrace`, with the engine's parts out of this script. @throws as that one does. */
export async function open(options: OpenOptions): Promise<Millrace> {
  return await openFromFiles({ ...partsHere(), ...options });
}

/** As `importLog` of `millrace`, with the engine's parts out of this script. @throws as that one does. */
export async function importLog(
  name: string,
  source: ImportSource,
  options: ImportOptions = {},
): Promise<ImportReport> {
  const { worker, wasm } = partsHere() ?? {};
  const parts = worker === undefined || wasm === undefined ? {} : { worker, wasm };
  return await importLogFromFiles(name, source, { ...parts, ...options });
}
