/**
 * An engine of a virtual machine as the SDK's client, without a thread or a port: every step is a microtask, or one of
 * the virtual clock. So a test can try what comes between any two steps.
 */
import { type EngineClient, EngineClosedError } from "@millrace/engine";
import {
  type VirtualPlatform,
  virtualPlatform,
} from "../../engine/host/src/platform/virtual-platform.ts";
import { stampBatch } from "../../engine/host/src/rpc/batch-encoder.ts";
import { BufferPool } from "../../engine/host/src/rpc/buffer-pool.ts";
import { TestEngine } from "../../engine/host/test/support/engines.ts";
import { microtasks } from "../../engine/host/test/support/turns.ts";

/** Held up until it has settled, or failed by what it throws. */
type Hook = (operation: string) => Promise<void> | undefined;

const none: Hook = () => undefined;
const PRODUCER = new Uint8Array(16).fill(7);

/** See above. */
export class DirectClient implements EngineClient {
  readonly name = "direct";
  readonly clock: EngineClient["clock"];
  readonly pool = new BufferPool();
  readonly engine: TestEngine;
  /** Names of the operations that were asked for, `commitEpoch` among them, in their order. */
  readonly calls: string[] = [];
  /** Called before the engine hears of an operation. */
  before: Hook = none;
  /** Called when the engine has carried an operation out, before the caller hears of it. */
  after: Hook = none;
  closed = false;
  readonly #leaveListeners = new Set<() => void>();
  #batchNumber = 0;

  constructor(engine: TestEngine) {
    this.engine = engine;
    this.clock = engine.platform.clock;
  }

  /** An engine over what the platform's store holds. */
  static async open(platform: VirtualPlatform = virtualPlatform()): Promise<DirectClient> {
    return new DirectClient(await TestEngine.open(platform));
  }

  async call(...[operation, argument]: Parameters<EngineClient["call"]>): Promise<never> {
    const { service } = this.engine;
    return (await this.#ask(operation, () => service.call(operation, argument))) as never;
  }

  async commitEpoch(...[commit, outputs]: Parameters<EngineClient["commitEpoch"]>) {
    const buffers = outputs.map(({ buffer, byteLength }) => buffer.slice(0, byteLength));
    const { service } = this.engine;
    return await this.#ask("commitEpoch", () => service.commitEpoch(commit, buffers));
  }

  async put(...[batch, settings]: Parameters<EngineClient["put"]>) {
    this.#requireOpen();
    if (settings?.after !== undefined && !(await settings.after)) return undefined;
    this.#batchNumber += 1;
    stampBatch(batch, PRODUCER, this.#batchNumber);
    return await this.#orClosed(this.engine.service.put(batch.buffer.slice(0, batch.byteLength)));
  }

  async read(...[request, signal]: Parameters<EngineClient["read"]>) {
    this.#requireOpen();
    return await this.engine.service.read(request, signal ?? new AbortController().signal);
  }

  onLeave(listener: () => void): () => void {
    this.#leaveListeners.add(listener);
    return () => this.#leaveListeners.delete(listener);
  }

  /** The page goes. */
  leave(): void {
    for (const listener of this.#leaveListeners) listener();
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.engine.service.close();
  }

  #requireOpen(): void {
    if (this.closed) throw new EngineClosedError("closed");
  }

  async #ask<Answer>(operation: string, ask: () => Promise<Answer>): Promise<Answer> {
    this.#requireOpen();
    this.calls.push(operation);
    await this.before(operation);
    const answer = await this.#orClosed(ask());
    await this.after(operation);
    return answer;
  }

  /** Whatever the engine says that is closing, its client says that it is closed. */
  async #orClosed<Answer>(answer: Promise<Answer>): Promise<Answer> {
    try {
      return await answer;
    } catch (error) {
      if (this.closed) throw new EngineClosedError("closed");
      throw error;
    }
  }
}

/** Lets everything go on that needs no time: it takes fewer microtasks than these. */
export async function settle(): Promise<void> {
  await microtasks(2000);
}

/** What waits for `opened` goes on when the test opens it. */
export function newGate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
