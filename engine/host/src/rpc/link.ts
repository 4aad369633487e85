/** One connection to one engine thread: hands are shaken, and calls, puts and reads can flow. */
import { EngineClosedError } from "../errors/index.ts";
import type { Clock } from "../platform/platform.ts";
import { ControlChannel } from "./control-channel.ts";
import { DataChannel } from "./data-channel.ts";
import { type HandshakeDeadlines, shakeHands } from "./handshake.ts";
import type { Hello } from "./messages.ts";
import type { EngineThread } from "./thread.ts";

/** The thread that something was sent to is gone. No caller sees it: it is what makes a client send again. */
export class LinkLostError extends EngineClosedError {}

/** Makes the error of what was under way on a link that ended. */
export function linkLost(): LinkLostError {
  return new LinkLostError("the engine's worker ended");
}

/** What a link is made of; the thread and the broker's port are its own from then on. */
export interface LinkParts {
  readonly thread: EngineThread;
  readonly hello: Omit<Hello, "control" | "data">;
  readonly clock: Clock;
  readonly deadlines: HandshakeDeadlines;
}

/** Both channels to a thread that serves an open engine. */
export class Link {
  readonly control: ControlChannel;
  readonly data: DataChannel;
  readonly #thread: EngineThread;

  private constructor(thread: EngineThread, control: ControlChannel, data: DataChannel) {
    this.#thread = thread;
    this.control = control;
    this.data = data;
  }

  /**
   * Shakes hands. The thread is ended when that fails. `onLost` is called when the thread fails later.
   *
   * @throws as {@link shakeHands}.
   */
  static async open(
    { thread, hello, clock, deadlines }: LinkParts,
    onLost: (link: Link, reason: string) => void,
    signal?: AbortSignal,
  ): Promise<Link> {
    const control = new MessageChannel();
    const data = new MessageChannel();
    const ports = { control: control.port2, data: data.port2 };
    // At once: a page that is put aside gets no later moment.
    signal?.addEventListener("abort", () => thread.terminate(), { once: true });
    try {
      await shakeHands(thread, { ...hello, ...ports }, clock, deadlines, signal);
    } catch (error) {
      if (signal?.aborted !== true) thread.terminate();
      control.port1.close();
      data.port1.close();
      throw error;
    }
    const link: Link = new Link(
      thread,
      new ControlChannel(control.port1),
      new DataChannel(data.port1, clock, ({ message }) => onLost(link, message)),
    );
    thread.onFailure((reason) => {
      onLost(link, reason ?? "the browser gives no reason");
      // Perhaps nothing is under way that could tell of it.
      return false;
    });
    return link;
  }

  /** Ends the thread at once; what is under way is rejected with a {@link LinkLostError}. */
  end(): void {
    this.#thread.terminate();
    this.control.rejectAll(linkLost());
    this.data.rejectAll(linkLost);
    this.control.close();
    this.data.close();
  }
}
