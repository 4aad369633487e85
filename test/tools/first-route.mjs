/**
 * Writes build/size/site-first-route.js: all JavaScript that the built site loads before it is asked
 * for more, in one file to be measured. What the entry imports dynamically is not part of it, nor is
 * the worker, which is measured by itself.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Files of an entry of Vite's manifest and of everything it imports statically. */
export function staticFiles(manifest, key, seen = new Set()) {
  const chunk = manifest[key];
  if (chunk === undefined) throw new Error(`the manifest has no entry ${key}`);
  if (seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const imported of chunk.imports ?? []) staticFiles(manifest, imported, seen);
  return seen;
}

function main() {
  const dist = join(root, "site", "dist");
  const manifest = JSON.parse(readFileSync(join(dist, ".vite", "manifest.json"), "utf8"));
  const entries = Object.keys(manifest).filter((key) => manifest[key].isEntry);
  const files = new Set(entries.flatMap((key) => [...staticFiles(manifest, key)]));
  const scripts = [...files].filter((file) => file.endsWith(".js")).sort();
  if (scripts.length === 0) throw new Error("the built site has no entry script");
  const target = join(root, "build", "size");
  mkdirSync(target, { recursive: true });
  const text = scripts.map((file) => readFileSync(join(dist, file), "utf8")).join("\n");
  writeFileSync(join(target, "site-first-route.js"), text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main();
