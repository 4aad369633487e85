/** Ways in which a worker of the runs misbehaves; each patches one API of the browser before the engine loads. */

/** The worker never hears that a lock was taken away from it: it goes on as if it led. */
export function ignoreTheft(): void {
  const { locks } = navigator;
  const request = locks.request.bind(locks) as (...parameters: unknown[]) => Promise<unknown>;
  const deaf = (...parameters: unknown[]): Promise<unknown> => {
    let granted = false;
    const callback = parameters.pop() as (lock: Lock | null) => unknown;
    const taken = request(...parameters, (lock: Lock | null) => {
      granted = lock !== null;
      return callback(lock);
    });
    return taken.catch((error: unknown) => {
      if (granted) return new Promise(() => undefined);
      throw error;
    });
  };
  Object.defineProperty(locks, "request", { value: deaf });
}

/** The worker never leads: it waits in line for a lock that nobody ever gives. */
export function neverLead(): void {
  const { locks } = navigator;
  const request = locks.request.bind(locks) as (...parameters: unknown[]) => Promise<unknown>;
  const patient = (name: string, ...rest: unknown[]): Promise<unknown> => {
    if (!name.endsWith(":writer")) return request(name, ...rest);
    // A wish for the lock only if it is free gets the answer that it is not.
    const options = rest[0] as LockOptions;
    if (options.ifAvailable === true) {
      const callback = rest.at(-1) as (lock: Lock | null) => unknown;
      return Promise.resolve(callback(null));
    }
    return new Promise((_, reject) => {
      options.signal?.addEventListener("abort", () => reject(options.signal?.reason));
    });
  };
  Object.defineProperty(locks, "request", { value: patient });
}

/** The worker does not hear who leads: it stays with the leader it has until that one fails it. */
export function ignoreAnnouncements(): void {
  const isNews = (data: unknown): boolean =>
    typeof data === "object" &&
    data !== null &&
    "kind" in data &&
    (data.kind === "leads" || data.kind === "resigns");
  const add = BroadcastChannel.prototype.addEventListener;
  const deaf = function (
    this: BroadcastChannel,
    type: string,
    listener: (event: MessageEvent<unknown>) => void,
    options?: AddEventListenerOptions,
  ): void {
    const filtered = (event: MessageEvent<unknown>): void => {
      if (!isNews(event.data)) listener(event);
    };
    add.call(this, type, filtered as EventListener, options);
  };
  Object.defineProperty(BroadcastChannel.prototype, "addEventListener", { value: deaf });
  const handler = Object.getOwnPropertyDescriptor(BroadcastChannel.prototype, "onmessage");
  Object.defineProperty(BroadcastChannel.prototype, "onmessage", {
    ...handler,
    set(this: BroadcastChannel, listener: (event: MessageEvent<unknown>) => void) {
      deaf.call(this, "message", listener);
    },
  });
}
