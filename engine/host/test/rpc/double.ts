/** A thread whose engine is a few lines, for what a real engine does not do: crash, be silent, lie. */
import { afterEach } from "vitest";
import { WasmLoadError } from "../../src/errors/index.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { Client, type ClientLife, type EngineClient } from "../../src/rpc/client.ts";
import { type ConnectOptions, connect } from "../../src/rpc/connect.ts";
import { localThread } from "../../src/rpc/local-thread.ts";
import type { HelloAnswer } from "../../src/rpc/messages.ts";
import type { EngineThread } from "../../src/rpc/thread.ts";
import type { BatchOrder, EngineService } from "../../src/service/engine-service.ts";
import { turns } from "../support/turns.ts";

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
    commitEpoch: () => never,
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

/** More than a client waits for anything when it closes, in ms. */
const CLOSING_MS = 40_000;
const kept: Opened[] = [];

/** Closes a client after the test, also one whose engine answers nothing. */
export function keep<One extends Opened>(one: One): One {
  kept.push(one);
  return one;
}

afterEach(async () => {
  for (const { client, clock } of kept.splice(0)) {
    const closing = outcome(client.close());
    await turns();
    await clock.advance(CLOSING_MS);
    await closing;
  }
});

/** A batch of one row that only has a size. */
export function batchOf(byteLength: number): {
  buffer: ArrayBuffer;
  byteLength: number;
  recordCount: number;
} {
  return { buffer: new ArrayBuffer(byteLength), byteLength, recordCount: 1 };
}

/** An engine that several threads serve one after the other, and what they were asked. */
export interface Restarting extends Opened {
  /** Every thread so far, the newest last. */
  readonly threads: BreakableThread[];
  /** Every put so far: by which thread, its number and its order. */
  readonly puts: { thread: number; number: number; order: BatchOrder | undefined }[];
}

/** What one of several threads does; what is absent is never answered. */
export type ThreadPlan =
  | Partial<EngineService>
  | "fails to open"
  | "never opens"
  | "is of another build";

/** Opens a client whose n-th thread serves the n-th plan; the last plan serves all later ones. */
export async function openRestarting(
  plans: readonly ThreadPlan[],
  options: Partial<ConnectOptions> & { makeLife?: (clock: VirtualClock) => ClientLife } = {},
): Promise<Restarting> {
  const clock = new VirtualClock(0);
  const threads: BreakableThread[] = [];
  const puts: Restarting["puts"] = [];
  const start = (): BreakableThread => {
    const thread = threads.length;
    const plan = plans[Math.min(thread, plans.length - 1)] ?? {};
    threads.push(planThread(plan, (put) => puts.push({ thread, ...put })));
    return threads[thread] ?? doubleThread(engineDouble({}));
  };
  const life = options.makeLife?.(clock);
  const rest = { ...OPTIONS, clock, restart: start, ...options, life };
  const client = await connect(start(), WASM, rest);
  const [thread = start()] = threads;
  return { client, thread, threads, clock, puts };
}

function planThread(
  plan: ThreadPlan,
  note: (put: { number: number; order: BatchOrder | undefined }) => void,
): BreakableThread {
  if (plan === "is of another build") {
    const thread = doubleThread(engineDouble({}));
    const onMessage: EngineThread["onMessage"] = (listener) =>
      thread.onMessage((data) => listener({ ...(data as HelloAnswer), buildId: "another" }));
    return breakable({ ...thread, onMessage });
  }
  if (typeof plan === "string") {
    const failing = plan === "never opens" ? never : Promise.reject(new WasmLoadError("no core"));
    failing.catch(() => undefined);
    const parts = { platform: virtualPlatform(), loadCore: async () => EMPTY_MODULE };
    return breakable(localThread({ ...parts, createEngine: () => failing }));
  }
  const put: EngineService["put"] = (batch, call, order) => {
    note({ number: numberOf(batch), order });
    return plan.put === undefined ? never : plan.put(batch, call, order);
  };
  return doubleThread(engineDouble({ ...plan, put }));
}

/** The number of a batch that was sent. */
export function numberOf(batch: ArrayBuffer): number {
  return Number(new DataView(batch).getBigUint64(32, true));
}

/** The promise's outcome, listened to from now on. */
export function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => "resolved",
    (error: unknown) => error,
  );
}
