/** Looks at stored logs without leading them: nothing is made, changed or cleaned up. */
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { StorageUnavailableError } from "../errors/store-errors.ts";
import type { LogStore } from "../storage/log-store.ts";
import { FileLogStore } from "../storage/node-file-store.ts";

/** Name of an engine's directory. */
const ENGINE_DIRECTORY = /^(.+)\.engine$/;

/** A stored log by its path. */
export type StoredLog =
  | { readonly kind: "store"; readonly path: string; open(): Promise<LogStore> }
  | { readonly kind: "archive"; readonly path: string; open(): AsyncIterable<Uint8Array> };

/**
 * The logs under a path: an exported file, an engine's directory, or a directory of engines.
 * @throws StorageUnavailableError when there are none.
 */
export async function findStoredLogs(path: string): Promise<StoredLog[]> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new StorageUnavailableError(`${path} cannot be read: ${String(cause)}`, {
      argument: "path",
      value: path,
      cause,
    });
  });
  if (!found.isDirectory()) return [{ kind: "archive", path, open: () => createReadStream(path) }];
  const directories = ENGINE_DIRECTORY.test(basename(path))
    ? [path]
    : (await readdir(path))
        .filter((name) => ENGINE_DIRECTORY.test(name))
        .map((name) => join(path, name));
  if (directories.length === 0 && (await isStore(path))) directories.push(path);
  if (directories.length === 0) {
    throw new StorageUnavailableError(`${path} holds no engine`, { argument: "path", value: path });
  }
  return directories
    .sort()
    .map((one) => ({ kind: "store", path: one, open: () => FileLogStore.inspect(one) }));
}

/** Whether a directory of another name is laid out as an engine's. */
async function isStore(path: string): Promise<boolean> {
  return (await readdir(path)).includes("layout.json");
}
