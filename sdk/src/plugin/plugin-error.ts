/** The error for everything that goes wrong with a plugin; it names the plugin. */
import { type ErrorDetails, MillraceError, registerError } from "@millrace/engine";

/** A plugin is malformed, broke its contract, or threw: then `cause` is what it threw. */
export class PluginError extends MillraceError {
  /** Id and version of the plugin, as in `millrace/transform-access-log@0.1.0`. */
  readonly plugin: string;

  constructor(message: string, details: ErrorDetails = {}, plugin = "unknown") {
    super("PluginException", message, details);
    this.plugin = plugin;
  }
}

registerError("PluginError", PluginError);
