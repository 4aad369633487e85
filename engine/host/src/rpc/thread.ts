/** The thread that an engine runs in, as its page sees it. */
import type { Clock } from "../platform/platform.ts";
import type { Hello } from "./messages.ts";

/** What was found out about a thread that did not load. */
export interface Diagnosis {
  /** Where its script was looked for. */
  readonly url: string;
  /** Why it did not load, and what to do about it. */
  readonly why: string;
}

/** A thread that answers hellos. */
export interface EngineThread {
  /** Where its code comes from, for messages to people. */
  readonly url: string;
  /** Sends the hello; its ports are transferred. */
  greet(hello: Hello): void;
  /** Calls back with everything the thread posts. */
  onMessage(listener: (data: unknown) => void): void;
  /**
   * Calls back when the thread fails; `reason` is undefined when the browser does not tell. A listener
   * that returns true passes the failure on to its caller, so that it need not be reported otherwise.
   */
  onFailure(listener: (reason: string | undefined) => boolean): void;
  /** Finds out why the thread did not load; absent where there is nothing to find out. */
  diagnose?(clock: Clock): Promise<Diagnosis>;
  /** Ends the thread at once. */
  terminate(): void;
}
