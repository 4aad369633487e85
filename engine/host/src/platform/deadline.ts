/** Promises that do not wait for ever. */
import type { Clock } from "./platform.ts";

/** A promise with its handles; nobody need listen for its failure. */
export class Moment<Value> {
  readonly promise: Promise<Value>;
  resolve: (value: Value) => void = () => undefined;
  reject: (reason: unknown) => void = () => undefined;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.promise.catch(() => undefined);
  }
}

/** Settles as `promise` does, or rejects with `late()` after `delayMs`. */
export async function withDeadline<Value>(
  clock: Clock,
  delayMs: number,
  promise: Promise<Value>,
  late: () => Error,
): Promise<Value> {
  let cancel: (() => void) | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(delayMs, () => reject(late()));
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    cancel?.();
  }
}

/** Rejects with the signal's reason as soon as it is aborted, else settles as `promise` does. */
export async function withSignal<Value>(
  signal: AbortSignal | undefined,
  promise: Promise<Value>,
): Promise<Value> {
  if (signal === undefined) return await promise;
  let remove: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    remove = () => signal.removeEventListener("abort", abort);
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    remove?.();
  }
}

/** Resolves after `delayMs`; rejects with the signal's reason when it is aborted before. */
export async function pause(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  let cancel: (() => void) | undefined;
  const passed = new Promise<void>((resolve) => {
    cancel = clock.after(delayMs, resolve);
  });
  try {
    await withSignal(signal, passed);
  } finally {
    cancel?.();
  }
}
