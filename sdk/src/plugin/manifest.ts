/** What a plugin says of itself, and whether this host can run it. */
import { PluginError } from "./plugin-error.ts";

/** Version of the plugin seam of this host: a plugin must have the same major and no higher minor. */
export const API_VERSION = "1.0";

/** What plugins can be. This host runs transforms; the other kinds have their names reserved. */
export type PluginKind = "source" | "transform" | "sink" | "codec" | "operator" | "store" | "panel";

/** What a plugin says of itself. */
export interface Manifest<Kind extends PluginKind = PluginKind> {
  /** `scope/name` in lower case. */
  readonly id: `${string}/${string}`;
  /** Semantic version of the plugin. */
  readonly version: string;
  /** Version of the seam it was written for, as in `1.0`. */
  readonly api: `${number}.${number}`;
  readonly kind: Kind;
  /** A few words for people. */
  readonly title: string;
  readonly description?: string;
}

const ID = /^[a-z0-9][a-z0-9_.-]*\/[a-z0-9][a-z0-9_.-]*$/;
const SEMANTIC_VERSION = /^\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/;
const API = /^(\d+)\.(\d+)$/;

/** A plugin as messages name it. */
export function pluginName({ id, version }: Pick<Manifest, "id" | "version">): string {
  return `${id}@${version}`;
}

function refuse(field: string, value: unknown, limit: string, plugin: string): never {
  const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 80)) : String(value);
  throw new PluginError(
    `manifest.${field} of plugin ${plugin} must be ${limit}, but it is ${shown}`,
    { argument: `manifest.${field}`, value: shown, limit },
    plugin,
  );
}

function checkApi(api: unknown, plugin: string): void {
  const [major, minor] = API_VERSION.split(".").map(Number);
  const parts = typeof api === "string" ? API.exec(api) : null;
  if (parts === null) refuse("api", api, "a version as in 1.0", plugin);
  const fits = Number(parts[1]) === major && Number(parts[2]) <= (minor ?? 0);
  if (!fits) refuse("api", api, `of major ${major} and at most ${API_VERSION}`, plugin);
}

/** @throws PluginError when the manifest is malformed or not for this host. */
export function checkManifest(manifest: Manifest): void {
  const { id, version, kind, title } = manifest;
  if (typeof id !== "string" || !ID.test(id))
    refuse("id", id, "scope/name in lower case", String(id));
  if (typeof version !== "string" || !SEMANTIC_VERSION.test(version)) {
    refuse("version", version, "a semantic version", id);
  }
  const plugin = pluginName(manifest);
  checkApi(manifest.api, plugin);
  if (kind !== "transform") refuse("kind", kind, '"transform", all that this host runs', plugin);
  if (typeof title !== "string" || title === "") refuse("title", title, "a text", plugin);
}
