/** The page's half of the handshake: from a started thread to one that serves an open engine. */
import { DeadlineError, reviveError, seeLoadingPage, WorkerLoadError } from "../errors/index.ts";
import { Moment, withDeadline, withSignal } from "../platform/deadline.ts";
import type { Clock } from "../platform/platform.ts";
import { type Hello, type HelloAnswer, isHelloAnswer } from "./messages.ts";
import type { Diagnosis, EngineThread } from "./thread.ts";
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

/** For how long it may be looked into why a thread did not load, in ms. */
const DIAGNOSIS_MS = 6000;

/** Why a thread did not load, where the browser does not tell. */
async function lookInto(clock: Clock, thread: EngineThread): Promise<Diagnosis> {
  const unknown = { url: thread.url, why: "the browser gives no reason" };
  const found = thread.diagnose?.(clock) ?? Promise.resolve(unknown);
  // What finds it out may not load either.
  return await withDeadline(clock, DIAGNOSIS_MS, found, () => new Error()).catch(() => unknown);
}

/** `reason` is what the browser told, `seen` what was seen of the thread instead. */
async function notLoaded(
  clock: Clock,
  thread: EngineThread,
  reason: string | undefined,
  seen = "",
): Promise<WorkerLoadError> {
  const { url, why } =
    reason === undefined ? await lookInto(clock, thread) : { url: thread.url, why: reason };
  return new WorkerLoadError(
    seeLoadingPage(`the engine's worker did not load from ${url}: ${seen}${why}`),
    { argument: "worker", value: url },
  );
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
    void notLoaded(clock, thread, reason).then((error) => conversation.fail(error));
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
  const silent = new Error();
  await withDeadline(clock, loadMs, loaded.promise, () => silent).catch(async (error) => {
    if (error !== silent) throw error;
    const seen = `it stayed silent for ${loadMs} ms; `;
    const failure = notLoaded(clock, thread, undefined, seen).then((found) =>
      Promise.reject(found),
    );
    // A thread that was only slow may speak while it is looked into.
    await Promise.race([loaded.promise, failure]);
  });
  await withDeadline(clock, openMs, ready.promise, () => notOpened(options.name, openMs));
}

function notOpened(name: string, openMs: number): DeadlineError {
  return new DeadlineError(
    `the engine "${name}" did not open within ${openMs} ms: another tab may block its store`,
    { argument: "name", value: name, limit: openMs },
  );
}
