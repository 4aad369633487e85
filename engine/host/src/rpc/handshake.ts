/** The page's half of the handshake: from a started thread to one that serves an open engine. */
import {
  DeadlineError,
  type MillraceError,
  reviveError,
  WorkerLoadError,
} from "../errors/index.ts";
import type { Clock } from "../platform/platform.ts";
import { Moment, withDeadline, withSignal } from "./deadline.ts";
import { type Hello, type HelloAnswer, isHelloAnswer } from "./messages.ts";
import type { EngineThread } from "./thread.ts";
import { checkCounterpart } from "./version.ts";

/** How long each half of the handshake may take. */
export interface HandshakeDeadlines {
  /** Until the worker answers at all, in ms. */
  readonly loadMs: number;
  /** From then until the engine is open, recovery included, in ms. */
  readonly openMs: number;
}

/** The two moments of a handshake, kept from the first message on. */
class Conversation {
  readonly loaded = new Moment<void>();
  readonly ready = new Moment<void>();
  over = false;

  fail(reason: unknown): void {
    this.loaded.reject(reason);
    this.ready.reject(reason);
  }

  take(answer: HelloAnswer): void {
    try {
      if (answer.millrace === "failed") throw reviveError(answer.error);
      checkCounterpart("worker", answer);
      this.loaded.resolve();
      if (answer.millrace === "ready") this.ready.resolve();
    } catch (error) {
      this.fail(error);
    }
  }
}

const WHAT_TO_DO =
  "Check that this URL answers with the script under a JavaScript type and that the page's CSP " +
  "allows it (worker-src), or pass `worker`: the URL of the engine's worker.js where you serve it";

function notLoaded(url: string, why: string): WorkerLoadError {
  return new WorkerLoadError(
    `the engine's worker did not load from ${url}: ${why}. ${WHAT_TO_DO}`,
    { argument: "worker", value: url },
  );
}

async function loadFailure(
  clock: Clock,
  url: string,
  reason: string | undefined,
): Promise<MillraceError> {
  if (reason !== undefined) return notLoaded(url, reason);
  const noAnswer = "the browser gives no reason";
  // Rare, so that it is loaded only then; where that fails as well, the browser's silence must do.
  const why = import("./script-diagnosis.ts").then(({ diagnoseScript }) => diagnoseScript(url));
  const inTime = withDeadline(clock, 2000, why, () => new Error(noAnswer));
  return notLoaded(url, await inTime.catch(() => noAnswer));
}

/**
 * Greets a thread and resolves when its engine is open. The thread is not ended on failure.
 *
 * @throws WorkerLoadError when it does not load or stays silent.
 * @throws VersionMismatchError when it is of another build.
 * @throws DeadlineError when the engine does not open in time; the signal's reason; and whatever
 * opening an engine throws.
 */
export async function shakeHands(
  thread: EngineThread,
  hello: Hello,
  clock: Clock,
  deadlines: HandshakeDeadlines,
  signal?: AbortSignal,
): Promise<void> {
  const conversation = new Conversation();
  thread.onMessage((data) => {
    if (isHelloAnswer(data)) conversation.take(data);
  });
  thread.onFailure((reason) => {
    if (conversation.over) return false;
    void loadFailure(clock, thread.url, reason).then((error) => conversation.fail(error));
    return true;
  });
  try {
    thread.greet(hello);
    await withSignal(signal, inTime(conversation, thread, hello, clock, deadlines));
  } finally {
    conversation.over = true;
  }
}

async function inTime(
  { loaded, ready }: Conversation,
  thread: EngineThread,
  { options }: Hello,
  clock: Clock,
  { loadMs, openMs }: HandshakeDeadlines,
): Promise<void> {
  await withDeadline(clock, loadMs, loaded.promise, () =>
    notLoaded(thread.url, `it stayed silent for ${loadMs} ms`),
  );
  await withDeadline(clock, openMs, ready.promise, () => notOpened(options.name, openMs));
}

function notOpened(name: string, openMs: number): DeadlineError {
  return new DeadlineError(
    `the engine "${name}" did not open within ${openMs} ms: another tab may block its store`,
    { argument: "name", value: name, limit: openMs },
  );
}
