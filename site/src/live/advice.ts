/** What to do about an error, by the engine's code: the message says what happened, this what helps. */
import { MillraceError } from "millrace";

/** An error as it is shown: the engine's own text and code, and what to do. */
export interface ShownError {
  readonly code: string;
  readonly message: string;
  readonly advice: string;
}

const ADVICE: Readonly<Record<string, string>> = {
  ResourceNotFoundException:
    "Look whether it was deleted or its name is misspelt. Opening the engine again makes the Live stream anew.",
  ResourceInUseException:
    "Another change is under way, or the name is taken: look at the list of streams, then try again.",
  LimitExceededException: "Stay below the limit that the message names, or wait until it frees up.",
  InvalidArgumentException: "Change the value that the message names.",
  ValidationException: "Change the value that the message names.",
  ProvisionedThroughputExceededException:
    "The shard's quota is used up: wait a second, or split the shard.",
  EngineInUseException: "Close the other tab or window that shows this page, then try again.",
  StorageUnavailableException:
    "Leave private browsing, or allow this site to store data, then try again.",
  StoreFullException: "Free space on this device or in this site's data, then try again.",
  WorkerLoadException: "Reload the page; if it stays, the site's files are not all being served.",
  WasmLoadException: "Reload the page; if it stays, the site's files are not all being served.",
  VersionMismatchException: "Reload the page, so that page and engine are of one build.",
  PluginException: "Open the engine again; if it stays, the plugin has a fault.",
  ThreadCrashException: "Open the engine again: what was acknowledged is on disk.",
  EngineClosedException: "Open the engine again.",
  EngineFailedException: "Open the engine again: what was acknowledged is on disk.",
  IndeterminateException:
    "Open the engine again: what is read back then tells whether these records were written.",
  DeadlineException: "The engine is slow to answer. Lower the rate, or open the engine again.",
  BackpressureException: "Lower the rate: records come faster than they can be committed.",
  UnsupportedFormatException: "A newer build wrote this log. Reload the page to get that build.",
};

/** The error with its advice; what is not the engine's is shown with its own name and text. */
export function describeError(error: unknown): ShownError {
  if (error instanceof MillraceError) {
    const { code, message, retryable } = error;
    const general = retryable ? "Try again." : "Reload the page, then try again.";
    return { code, message, advice: ADVICE[code] ?? general };
  }
  if (error instanceof Error) {
    return { code: error.name, message: error.message, advice: "Reload the page, then try again." };
  }
  return { code: "Error", message: String(error), advice: "Reload the page, then try again." };
}
