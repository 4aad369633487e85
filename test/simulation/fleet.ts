/** Workers that run engines, and how pages reach them: what two ways of sharing an engine have in common. */
import { Core } from "../../engine/host/src/core/core.ts";
import { EngineInUseError } from "../../engine/host/src/errors/index.ts";
import { writerLockName } from "../../engine/host/src/platform/locks.ts";
import type { Platform } from "../../engine/host/src/platform/platform.ts";
import { openEngine } from "../../engine/host/src/service/engine.ts";
import type { EngineOptions, EngineService } from "../../engine/host/src/service/engine-service.ts";
import type { Process } from "./scheduler.ts";

/** Name of the one engine of a machine. */
export const ENGINE_NAME = "sim";

/** How all engines are opened. */
export const ENGINE_OPTIONS: EngineOptions = {
  name: ENGINE_NAME,
  storage: "indexeddb",
  quotas: "unlimited",
  memoryBudgetBytes: 16 * 1024 * 1024,
};

/** Pause before a candidate asks for the lock again, in ms. */
const RETRY_MS = 50;

/** A worker with an engine in it, or on the way to one. */
export interface Host {
  readonly process: Process;
  readonly service: Promise<EngineService>;
  /** Whether its engine is open. */
  open: boolean;
  /** Whether somebody was told that it leads no more, or it could not begin. */
  retired: boolean;
}

/** No answer came, or it came from an engine that has ended: the call must be made again. */
export class LostError extends Error {}

/** What a page makes of a worker that could not be opened: nothing of its calls. @throws LostError. */
export function unopened(cause: unknown): never {
  throw new LostError(`the engine could not be opened: ${String(cause)}`, { cause });
}

/** One page's way to an engine. */
export interface Connection {
  readonly page: Process;
  /** Makes a call. @throws LostError when it must be made again; the engine's errors. */
  ask<Result>(label: string, work: (service: EngineService) => Promise<Result>): Promise<Result>;
}

/** All workers of a machine. */
export interface Fleet {
  /** Workers that live, oldest first; those that lead no more included. */
  readonly living: readonly Host[];
  /** Whoever leads, as far as anybody knows. */
  readonly leader: Host | undefined;
  /** Losses that any engine found when it opened. */
  readonly lossesFound: number;
  /** Gives a page its way to an engine. */
  connect(page: Process): Connection;
  /** Somebody steals the lead; the candidate, when it is known. */
  takeOver(): Host | undefined;
  /** The leader ends in order. */
  close(host: Host): void;
  /** No worker is started any more. */
  stop(): void;
}

/** Opens the engine of a machine over a platform that has, or takes, its lock. */
export function openHere(platform: Platform, module: WebAssembly.Module): Promise<EngineService> {
  return openEngine(platform, (sizes) => Core.instantiate(module, sizes), ENGINE_OPTIONS);
}

/** Opens an engine as soon as the lock is free, or takes it from whoever has it. */
export async function openAlone(
  platform: Platform,
  module: WebAssembly.Module,
  steal: boolean,
): Promise<EngineService> {
  for (;;) {
    if (steal) {
      const held = await platform.locks.acquire(writerLockName(ENGINE_NAME), { steal: true });
      held.release();
    }
    try {
      return await openHere(platform, module);
    } catch (error) {
      if (!(error instanceof EngineInUseError)) throw error;
      await new Promise<void>((resolve) => platform.clock.after(RETRY_MS, resolve));
    }
  }
}
