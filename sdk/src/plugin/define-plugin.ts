/** How a plugin is made: a manifest, and a function that sets it to work. */
import { checkManifest, type Manifest } from "./manifest.ts";
import type { Transform } from "./transform.ts";

/** What each kind of plugin is at work. Kinds are added here as hosts learn to run them. */
export interface PluginKinds {
  readonly transform: Transform;
}

/** A plugin, not yet at work. */
export interface Plugin<Config = void, Kind extends keyof PluginKinds = keyof PluginKinds> {
  readonly manifest: Manifest<Kind>;
  /** Sets the plugin to work. Refuses a configuration by throwing. */
  readonly create: (config: Config) => PluginKinds[Kind];
}

/** Makes a plugin. @throws PluginError when the manifest is malformed or not for this host. */
export function definePlugin<Kind extends keyof PluginKinds, Config = void>(
  manifest: Manifest<Kind>,
  create: (config: Config) => PluginKinds[Kind],
): Plugin<Config, Kind> {
  checkManifest(manifest);
  return { manifest: Object.freeze({ ...manifest }), create };
}
