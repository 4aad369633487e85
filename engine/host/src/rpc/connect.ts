/** From a thread to a client: two channels, a handshake, and what both need from the platform. */

import { EngineClosedError } from "../errors/index.ts";
import { withSignal } from "../platform/deadline.ts";
import type { Clock, Random } from "../platform/platform.ts";
import { systemClock } from "../platform/system-clock.ts";
import { systemRandom } from "../platform/system-random.ts";
import type { EngineOptions } from "../service/engine-service.ts";
import { Client, type ClientLife, type ClientLimits, type EngineClient } from "./client.ts";
import type { HandshakeDeadlines } from "./handshake.ts";
import { Link } from "./link.ts";
import type { WasmLocation } from "./messages.ts";
import type { EngineThread } from "./thread.ts";
import { BUILD_ID, PROTOCOL, VERSION } from "./version.ts";

/** What an engine is opened with, besides what the engine itself wants to know. */
export interface ConnectOptions extends EngineOptions {
  /** Gives up opening; the thread is ended. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly limits?: Partial<ClientLimits & HandshakeDeadlines>;
  /** Starts another thread after one that died; absent where nothing outlives a thread. */
  readonly restart?: (() => EngineThread) | undefined;
  /** Connects to the port broker, once per thread; absent where there is none. */
  readonly connectBroker?: (() => MessagePort | undefined) | undefined;
  /** The page that the client is part of. */
  readonly life?: ClientLife | undefined;
}

const LIMITS: ClientLimits & HandshakeDeadlines = {
  loadMs: 10_000,
  openMs: 120_000,
  callMs: 30_000,
  putMs: 60_000,
  readMs: 30_000,
  closeMs: 30_000,
  outboxBytesMax: 16_777_216,
  outboxWaitMs: 30_000,
};

/** What of the options the engine itself is to know. */
function engineOptions(options: ConnectOptions): EngineOptions {
  const { name, storage, quotas, memoryBudgetBytes, time, transitionMs, controlQuotas } = options;
  const { storageBudgetBytes, importing } = options;
  return {
    ...{ name, storage, quotas, memoryBudgetBytes },
    ...(time === undefined ? {} : { time }),
    ...(transitionMs === undefined ? {} : { transitionMs }),
    ...(controlQuotas === undefined ? {} : { controlQuotas }),
    ...(storageBudgetBytes === undefined ? {} : { storageBudgetBytes }),
    ...(importing === undefined ? {} : { importing }),
  };
}

/**
 * Shakes hands with a thread and makes its client. The thread is ended when that fails.
 *
 * @throws as `shakeHands`.
 */
export async function connect(
  thread: EngineThread,
  wasm: WasmLocation,
  options: ConnectOptions,
): Promise<EngineClient> {
  const { name, signal, restart, connectBroker, life } = options;
  const clock = options.clock ?? systemClock;
  const limits = { ...LIMITS, ...options.limits };
  const build = { protocol: PROTOCOL, version: VERSION, buildId: BUILD_ID } as const;
  const greeting = { millrace: "hello", ...build, options: engineOptions(options), wasm } as const;
  let first: EngineThread | undefined = thread;
  const client = new Client({
    ...{ name, clock, limits, life },
    url: thread.url,
    restarts: restart !== undefined,
    random: options.random ?? systemRandom,
    open: async (onLost, attempt) => {
      const next = first ?? restart?.() ?? thread;
      first = undefined;
      const hello = { ...greeting, broker: connectBroker?.() };
      return await Link.open({ thread: next, hello, clock, deadlines: limits }, onLost, attempt);
    },
  });
  try {
    await withSignal(signal, client.opened());
  } catch (error) {
    client.end(new EngineClosedError(`opening the engine "${name}" was given up`));
    throw error;
  }
  return client;
}
