/** The page's half of the handshake: from a started thread to one that serves an open engine. */
import {
  DeadlineError,
  type MillraceError,
  reviveError,
  VersionMismatchError,
  WorkerLoadError,
} from "../errors/index.ts";
import type { Clock } from "../platform/platform.ts";
import { withDeadline, withSignal } from "./deadline.ts";
import { type Hello, type HelloAnswer, isHelloAnswer } from "./messages.ts";
import { diagnoseScript, type EngineThread } from "./thread.ts";
import { BUILD_ID, PROTOCOL, VERSION } from "./version.ts";

/** How long each half of the handshake may take. */
export interface HandshakeDeadlines {
  /** Until the worker answers at all, in ms. */
  readonly loadMs: number;
  /** From then until the engine is open, recovery included, in ms. */
  readonly openMs: number;
}

/** Refuses a counterpart of another protocol, version or build. @throws VersionMismatchError. */
export function checkCounterpart(
  who: "page" | "worker",
  its: { readonly protocol: number; readonly version: string; readonly buildId: string },
): void {
  const describe = (one: typeof its): string =>
    `version ${one.version}, build ${one.buildId}, protocol ${one.protocol}`;
  const own = { protocol: PROTOCOL, version: VERSION, buildId: BUILD_ID };
  if (describe(own) === describe(its)) return;
  const other = who === "page" ? "worker" : "page";
  throw new VersionMismatchError(
    `the ${who} is of ${describe(its)}, but the ${other} of ${describe(own)}: serve both from one ` +
      "installation of @millrace/engine, and reload pages that an update left behind",
    { argument: "version", value: `${its.version}/${its.buildId}`, limit: `${VERSION}/${BUILD_ID}` },
  );
}

/** A promise with its handles; nobody need listen for its failure. */
class Moment {
  readonly promise: Promise<void>;
  resolve: () => void = () => undefined;
  reject: (reason: unknown) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Of two moments, the first one's failure is what callers see; the second one's is the same.
    this.promise.catch(() => undefined);
  }
}

/** The two moments of a handshake, kept from the first message on. */
class Conversation {
  readonly loaded = new Moment();
  readonly ready = new Moment();
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
  const why = withDeadline(clock, 2000, diagnoseScript(url), () => new Error(noAnswer));
  return notLoaded(url, await why.catch(() => noAnswer));
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
    if (conversation.over) return;
    void loadFailure(clock, thread.url, reason).then((error) => conversation.fail(error));
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
