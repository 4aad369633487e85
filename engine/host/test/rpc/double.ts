/** A thread whose engine is a few lines, for what a real engine does not do: crash, be silent, lie. */

import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { Client, type EngineClient } from "../../src/rpc/client.ts";
import { type ConnectOptions, connect } from "../../src/rpc/connect.ts";
import { localThread } from "../../src/rpc/local-thread.ts";
import type { EngineThread } from "../../src/rpc/thread.ts";
import type { EngineService } from "../../src/service/engine-service.ts";

export { Client };

const EMPTY_MODULE = new WebAssembly.Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));

export const never = new Promise<never>(() => undefined);

export const WASM = { simd: "simd.wasm", scalar: "scalar.wasm" };

export const OPTIONS = {
  name: "double",
  storage: "memory",
  quotas: "unlimited",
  memoryBudgetBytes: 64 * 1024 * 1024,
} as const;

/** An engine that answers nothing but what a test gives it. */
export function engineDouble(parts: Partial<EngineService>): EngineService {
  return {
    call: () => never,
    put: () => never,
    read: () => never,
    close: () => Promise.resolve(),
    ...parts,
  };
}

/** A thread that can be made to fail. */
export interface BreakableThread extends EngineThread {
  readonly terminated: boolean;
  fail(reason: string | undefined): void;
}

export function breakable(thread: EngineThread): BreakableThread {
  const listeners: ((reason: string | undefined) => boolean)[] = [];
  let terminated = false;
  return {
    url: thread.url,
    greet: (hello) => thread.greet(hello),
    onMessage: (listener) => thread.onMessage(listener),
    onFailure: (listener) => {
      listeners.push(listener);
    },
    terminate: () => {
      terminated = true;
      thread.terminate();
    },
    get terminated() {
      return terminated;
    },
    fail: (reason) => {
      for (const listener of listeners) listener(reason);
    },
  };
}

export function doubleThread(engine: EngineService): BreakableThread {
  return breakable(
    localThread({
      platform: virtualPlatform(),
      loadCore: async () => EMPTY_MODULE,
      createEngine: async () => engine,
    }),
  );
}

export interface Opened {
  readonly client: EngineClient;
  readonly thread: BreakableThread;
  readonly clock: VirtualClock;
}

export async function openDouble(
  parts: Partial<EngineService>,
  options: Partial<ConnectOptions> = {},
): Promise<Opened> {
  const clock = new VirtualClock(0);
  const thread = doubleThread(engineDouble(parts));
  const client = await connect(thread, WASM, { ...OPTIONS, clock, ...options });
  return { client, thread, clock };
}

/** A batch of one row that only has a size. */
export function batchOf(byteLength: number): {
  buffer: ArrayBuffer;
  byteLength: number;
  recordCount: number;
} {
  return { buffer: new ArrayBuffer(byteLength), byteLength, recordCount: 1 };
}
