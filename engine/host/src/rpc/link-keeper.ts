/**
 * Keeps a client linked to an engine thread: starts one, starts another when it died or when the page
 * came back, and gives up when threads die one after the other.
 */
import { MillraceError, ThreadCrashError, toMillraceError } from "../errors/index.ts";
import { Moment, pause } from "../platform/deadline.ts";
import type { Clock } from "../platform/platform.ts";
import { type Link, linkLost } from "./link.ts";

/** So many deaths within so many ms are one too many; a start that fails counts as a death. */
const DEATHS_MAX = 3;
const DEATHS_WITHIN_MS = 10_000;
/** After a start that failed, ms. */
const PAUSE_MS = 250;

/** What a keeper is made of. */
export interface LinkKeeperParts {
  readonly clock: Clock;
  /** Where the threads come from, for messages to people. */
  readonly url: string;
  /** Starts a thread and shakes hands; `onLost` is to be called when the link is lost later. */
  open(onLost: (link: Link, reason: string) => void, signal: AbortSignal): Promise<Link>;
  /** Whether another thread finds what the one before left: not so for an engine in memory. */
  readonly restarts: boolean;
  /** A link is up. Called before anybody who waits for it goes on. */
  onUp(link: Link): void;
  /** The link is gone; another one may come. */
  onDown(): void;
  /** No link will come any more. */
  onOver(failure: MillraceError): void;
}

/** See above. */
export class LinkKeeper {
  readonly #parts: LinkKeeperParts;
  #coming = new Moment<Link>();
  #link: Link | undefined;
  #attempt: AbortController | undefined;
  #failure: MillraceError | undefined;
  /** By the monotonic clock. */
  #deathsMs: number[] = [];
  #failedStarts = 0;
  #wasUp = false;

  constructor(parts: LinkKeeperParts) {
    this.#parts = parts;
  }

  /** The link, while it is up. */
  get current(): Link | undefined {
    return this.#link;
  }

  /** Why there will be no link any more. */
  get failure(): MillraceError | undefined {
    return this.#failure;
  }

  /** The link, or the next one. @throws what opening the engine throws the first time; ThreadCrashError. */
  link(): Promise<Link> {
    return this.#link === undefined ? this.#coming.promise : Promise.resolve(this.#link);
  }

  /** Starts a thread. */
  start(): void {
    if (this.#failure !== undefined || this.#attempt !== undefined) return;
    const attempt = new AbortController();
    this.#attempt = attempt;
    void this.#open(attempt);
  }

  /** Ends the thread at once, until {@link start}: for a page that may come back, or not. */
  suspend(): void {
    this.#attempt?.abort(linkLost());
    this.#attempt = undefined;
    this.#drop();
  }

  /** Ends the thread for good; whoever waits for a link gets the failure. */
  end(failure: MillraceError): void {
    if (this.#failure !== undefined) return;
    this.#giveUp(failure);
  }

  async #open(attempt: AbortController): Promise<void> {
    const { signal } = attempt;
    while (this.#attempt === attempt && this.#failure === undefined) {
      try {
        const link = await this.#parts.open((dead, reason) => this.#lost(dead, reason), signal);
        this.#up(link, attempt);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#failedStarts += 1;
        if (!this.#wasUp || isFinal(error) || this.#failedStarts >= DEATHS_MAX) {
          this.#giveUp(error);
          return;
        }
        await pause(this.#parts.clock, PAUSE_MS * this.#failedStarts, signal).catch(
          () => undefined,
        );
      }
    }
  }

  #up(link: Link, attempt: AbortController): void {
    if (this.#attempt !== attempt || this.#failure !== undefined) {
      link.end();
      return;
    }
    this.#link = link;
    this.#wasUp = true;
    this.#failedStarts = 0;
    this.#parts.onUp(link);
    this.#coming.resolve(link);
  }

  #lost(link: Link, reason: string): void {
    if (link !== this.#link || this.#failure !== undefined) return;
    const { clock, url, restarts } = this.#parts;
    const nowMs = clock.monotonicMs();
    this.#deathsMs = [...this.#deathsMs.filter((ms) => nowMs - ms < DEATHS_WITHIN_MS), nowMs];
    if (restarts && this.#deathsMs.length < DEATHS_MAX) {
      this.#attempt = undefined;
      this.#drop();
      this.start();
      return;
    }
    const often = restarts ? ` ${DEATHS_MAX} times in ${DEATHS_WITHIN_MS / 1000} s` : "";
    this.#giveUp(
      new ThreadCrashError(
        `the engine's worker (${url}) failed${often}: ${reason}; open the engine again`,
        { argument: "worker", value: url },
      ),
    );
  }

  /** What is under way is told to wait for the next link. */
  #drop(): void {
    const link = this.#link;
    if (link === undefined) return;
    this.#link = undefined;
    this.#coming = new Moment<Link>();
    this.#parts.onDown();
    link.end();
  }

  #giveUp(error: unknown): void {
    this.#failure = toMillraceError(error);
    this.suspend();
    this.#parts.onOver(this.#failure);
    // Opening fails with whatever it failed with, be it the signal's reason.
    this.#coming.reject(error);
  }
}

/** Whether a page can never start its worker again: an update has replaced it, or a newer build the store. */
function isFinal(error: unknown): boolean {
  return error instanceof MillraceError && /^(VersionMismatch|UnsupportedFormat)/.test(error.code);
}
