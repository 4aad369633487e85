/** An open backend as an application holds it. */
import type { MillraceLike } from "../stream-like.ts";
import type { RemoteCalls } from "./remote-calls.ts";
import { RemoteStreams, type RemoteStreamsSettings } from "./remote-streams.ts";

/** A Kinesis elsewhere. Close it: its connections may keep a process alive. */
export class RemoteMillrace implements MillraceLike {
  readonly #calls: RemoteCalls;
  /** Its streams. */
  readonly streams: RemoteStreams;
  #closing: Promise<void> | undefined;

  /** Made by `open`. */
  constructor(calls: RemoteCalls, settings: RemoteStreamsSettings) {
    this.#calls = calls;
    this.streams = new RemoteStreams(calls, settings);
  }

  /** What errors call it: the endpoint, or the region. */
  get name(): string {
    return this.#calls.place;
  }

  /** Whether it was closed: every call then fails. */
  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /**
   * Refuses what is asked for from now on, lets puts and other changes under way settle, then ends readings and
   * connections. Safe to call twice.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#calls.refuse();
    await this.streams.settled();
    await this.#calls.settled();
    this.#calls.close();
  }

  /** Closes it at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
