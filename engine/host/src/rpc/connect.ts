/** From a thread to a client: two channels, a handshake, and what both need from the platform. */
import type { Clock, Random } from "../platform/platform.ts";
import { systemClock } from "../platform/system-clock.ts";
import { systemRandom } from "../platform/system-random.ts";
import type { EngineOptions } from "../service/engine-service.ts";
import { Client, type ClientLimits, type EngineClient } from "./client.ts";
import { type HandshakeDeadlines, shakeHands } from "./handshake.ts";
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
  return {
    ...{ name, storage, quotas, memoryBudgetBytes },
    ...(time === undefined ? {} : { time }),
    ...(transitionMs === undefined ? {} : { transitionMs }),
    ...(controlQuotas === undefined ? {} : { controlQuotas }),
  };
}

/** Shakes hands with a thread and makes its client. The thread is ended when that fails. @throws as {@link shakeHands}. */
export async function connect(
  thread: EngineThread,
  wasm: WasmLocation,
  options: ConnectOptions,
): Promise<EngineClient> {
  const { name, signal } = options;
  const clock = options.clock ?? systemClock;
  const limits = { ...LIMITS, ...options.limits };
  const control = new MessageChannel();
  const data = new MessageChannel();
  try {
    await shakeHands(
      thread,
      {
        millrace: "hello",
        protocol: PROTOCOL,
        version: VERSION,
        buildId: BUILD_ID,
        options: engineOptions(options),
        wasm,
        control: control.port2,
        data: data.port2,
      },
      clock,
      limits,
      signal,
    );
  } catch (error) {
    thread.terminate();
    control.port1.close();
    data.port1.close();
    throw error;
  }
  return new Client({
    name,
    thread,
    control: control.port1,
    data: data.port1,
    clock,
    random: options.random ?? systemRandom,
    limits,
  });
}
