/**
 * An engine as another thread of its page has it: over ports of its own to the page's engine worker. The
 * page passes the ports on, again after its engine worker was replaced; all else goes past it.
 */
import { transfer } from "comlink";
import { serializeError, ThreadCrashError } from "../errors/index.ts";
import { hexOfBytes } from "../model/hex.ts";
import { systemRandom } from "../platform/system-random.ts";
import type { EngineClient } from "./client.ts";
import { type ConnectOptions, connect } from "./connect.ts";
import { type Hello, type HelloAnswer, isHello, portsOf } from "./messages.ts";
import type { EngineThread } from "./thread.ts";
import { BUILD_ID, checkCounterpart, PROTOCOL, VERSION } from "./version.ts";

/** One end of the way between a page and a thread of its own. */
export interface Wire {
  post(message: unknown, transfer?: Transferable[]): void;
  /** Calls back with everything that the other end posts. */
  listen(listener: (message: unknown) => void): void;
}

/** What the page says once the engine's worker is another one, or gone. */
const LOST = "millrace: attachment lost";
/** So many engine workers may end, one after the other, while a thread is attached for the first time. */
const ATTEMPTS_MAX = 3;
/** As long as a timer can count, in ms. */
const FOR_EVER_MS = 2_147_483_647;

/**
 * The thread's half: an engine that the page at the other end has open, under its name. Closing it leaves the
 * page's engine open.
 *
 * @throws as opening an engine does; VersionMismatchError when page and thread are of different builds.
 */
export async function openAttached(
  name: string,
  wire: Wire,
  options: Pick<ConnectOptions, "signal"> = {},
): Promise<EngineClient> {
  const listeners: ((message: unknown) => void)[] = [];
  let lost = false;
  wire.listen((message) => {
    if (message === LOST) lost = true;
    for (const listener of [...listeners]) listener(message);
  });
  const attach = (): EngineThread => {
    let failed: ((reason: string | undefined) => boolean)[] = [];
    return {
      url: "the page's engine worker",
      greet: (hello) => wire.post(hello, portsOf(hello)),
      onMessage: (listener) => {
        listeners.splice(0, listeners.length, listener, (message) => {
          if (message === LOST) for (const tell of failed) tell("the page's engine worker ended");
        });
      },
      onFailure: (listener) => failed.push(listener),
      terminate: () => {
        failed = [];
      },
    };
  };
  // The engine is open: what it was opened with is the page's knowledge.
  const engine = { name, storage: "memory", quotas: "unlimited", memoryBudgetBytes: 0 } as const;
  const nowhere = { simd: "", scalar: "" };
  for (let attempt = 1; ; attempt++) {
    lost = false;
    try {
      return await connect(attach(), nowhere, { ...engine, ...options, restart: attach });
    } catch (error) {
      // Ports that went with a worker are gone: the page is greeted with others.
      if (!lost || attempt === ATTEMPTS_MAX || options.signal?.aborted === true) throw error;
    }
  }
}

/** The page's half: attaches the thread at the other end whenever it asks for it. Returns how to end that. */
export function attachOver(client: EngineClient, wire: Wire): () => void {
  const build = { protocol: PROTOCOL, version: VERSION, buildId: BUILD_ID } as const;
  const say = (millrace: "loaded" | "ready"): void => wire.post({ millrace, ...build });
  let present: string | undefined;
  let over = false;
  const detach = (id: string | undefined): void => {
    if (id !== undefined) client.call("detach", { id }).catch(() => undefined);
  };
  const attach = async (hello: Hello): Promise<void> => {
    checkCounterpart("worker", hello);
    say("loaded");
    detach(present);
    // Chosen here, so that an attachment whose answer comes too late is ended, too; no worker knows another's.
    const id = hexOfBytes(systemRandom.fill(new Uint8Array(16)));
    present = id;
    const { control, data } = hello;
    try {
      await client.call("attach", transfer({ id, control, data }, [control, data]));
    } catch (error) {
      detach(id);
      if (over || present !== id) return;
      present = undefined;
      if (!(error instanceof ThreadCrashError) || client.closed) throw error;
      wire.post(LOST);
      return;
    }
    if (over || present !== id) return detach(id);
    say("ready");
    // Asked of the next engine worker, too, which does not know the attachment.
    await client.call("attachmentEnd", { id }, FOR_EVER_MS).catch(() => undefined);
    if (over || present !== id) return;
    present = undefined;
    detach(id);
    wire.post(LOST);
  };
  wire.listen((message) => {
    if (over || !isHello(message)) return;
    attach(message).catch((error: unknown) => {
      const answer: HelloAnswer = { millrace: "failed", error: serializeError(error) };
      if (!over) wire.post(answer);
    });
  });
  return () => {
    over = true;
    detach(present);
  };
}
