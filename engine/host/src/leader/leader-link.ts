/**
 * The follower's side: finds the leader, keeps one connection to it, notices when it died, ended or froze,
 * and looks for the next one.
 */
import type { Channels, Clock, Locks, Port, Random } from "../platform/platform.ts";
import { Connection, type Welcome } from "./connection.ts";
import type { Announcement, TabChannel } from "./tab-channel.ts";
import { aliveLockName, type CodeVersion } from "./tab-protocol.ts";
import { Target } from "./targets.ts";

/** Beat of a link, in ms. A leader ticks as often. */
export const BEAT_MS = 500;
/** A leader that is silent for so many beats is frozen: 3 seconds. */
const SILENT_BEATS_MAX = 6;
/** A connection over which nothing came for so many beats is given up for another one: 2 seconds. */
const MUTE_BEATS_MAX = 4;
/** A beat that comes later than this is one of a context that was frozen itself, in ms. */
const LATE_BEAT_MS = 2 * BEAT_MS;
/** When further ways to the leader are tried, in ms after the first one; then this often over again. */
const TRIES_MS = [100, 100, 150, 150, 250, 400] as const;
/** From this try on the relay is tried, too. */
const RELAY_FROM_TRY = 2;
/** Attempts that are left open beside each other: the first one that is answered is taken. */
const ATTEMPTS_MAX = 8;

/** What a link works with. */
export interface LinkParts {
  readonly name: string;
  readonly memberId: string;
  readonly code: CodeVersion;
  readonly clock: Clock;
  readonly random: Random;
  readonly locks: Locks;
  readonly channels: Channels;
  readonly tabs: TabChannel;
  /** A leader was found. */
  readonly found: (target: Target, code: CodeVersion) => void;
  /** The leader is gone: what is under way must be sent to the next one. */
  readonly lost: (target: Target) => void;
  /** Neither the leader nor anybody who becomes it has given a sign of life for seconds. */
  readonly silent: () => void;
  /** The leader's protocol is another one. */
  readonly unsupported: (code: CodeVersion) => void;
}

/** A leader as it was announced. */
interface Heard {
  readonly epoch: number;
  readonly leaderId: string;
  readonly atMs: number;
}

/** One connection to whoever leads. */
export class LeaderLink {
  readonly #parts: LinkParts;
  readonly #attempts: Connection[] = [];
  #connected: { readonly connection: Connection; readonly target: Target } | undefined;
  #watch: AbortController | undefined;
  #heard: Heard | undefined;
  #running = false;
  #tries = 0;
  #stopTry: () => void = () => undefined;
  #stopBeat: () => void = () => undefined;
  /** Beats without a sign of life of any leader, or of anybody who becomes it. */
  #silentBeats = 0;
  /** Beats in which nothing came over the connection. */
  #muteBeats = 0;
  /** How the last leader was reached. */
  #transport: "port" | "broadcast" = "port";

  constructor(parts: LinkParts) {
    this.#parts = parts;
    if (parts.channels.broker() === undefined) this.#transport = "broadcast";
  }

  /** Looks for the leader from now on. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#silentBeats = 0;
    this.#parts.tabs.say({ kind: "who-leads", memberId: this.#parts.memberId });
    this.#look();
    this.#beat();
  }

  /** Ends the connection; what is under way over it is lost. */
  stop(): void {
    this.#running = false;
    this.#stopBeat();
    this.#drop();
    this.#stopLooking();
  }

  /** Takes an announcement. */
  announced(message: Announcement): void {
    if (message.kind === "opens") this.#silentBeats = 0;
    else if (message.kind === "leads") this.#hear(message);
    else if (message.kind === "resigns" && message.epoch === this.#epoch) this.#again();
  }

  get #epoch(): number {
    return this.#connected?.target.facts.epoch ?? 0;
  }

  /** A zombie may announce itself, too; the higher epoch leads, unless nobody has heard of it for a while. */
  #hear({ epoch, leaderId }: Extract<Announcement, { kind: "leads" }>): void {
    if (this.#isPast(epoch)) return;
    const known = this.#heard?.leaderId === leaderId && this.#heard.epoch === epoch;
    this.#silentBeats = 0;
    this.#heard = { epoch, leaderId, atMs: this.#parts.clock.monotonicMs() };
    if (!this.#running || leaderId === this.#connected?.target.facts.leaderId) return;
    if (this.#connected !== undefined) this.#again();
    else if (!known || this.#attempts.length === 0) this.#look();
  }

  #isPast(epoch: number): boolean {
    if (this.#connected !== undefined) return epoch < this.#epoch;
    if (this.#heard === undefined || epoch >= this.#heard.epoch) return false;
    const sinceMs = this.#parts.clock.monotonicMs() - this.#heard.atMs;
    return sinceMs < SILENT_BEATS_MAX * BEAT_MS;
  }

  /** Tries all ways, one after the other, until one is answered. */
  #look(): void {
    this.#stopLooking();
    this.#tries = 0;
    this.#try();
  }

  #try(): void {
    if (!this.#running || this.#connected !== undefined) return;
    const { clock } = this.#parts;
    // The broker's way is much the faster one; the relay always works, for all hear it. A port that the
    // broker gave to a leader that has just died is lost, so that it is given another one soon.
    this.#byBroker();
    if (this.#tries >= RELAY_FROM_TRY || this.#transport === "broadcast") this.#byRelay();
    const waitMs = TRIES_MS[Math.min(this.#tries, TRIES_MS.length - 1)] ?? BEAT_MS;
    this.#tries += 1;
    this.#stopTry = clock.after(waitMs, () => this.#try());
  }

  #byBroker(): void {
    const { channels, name } = this.#parts;
    const broker = channels.broker();
    if (broker === undefined) return;
    const [own, leaders] = channels.pair();
    broker.post({ broker: 1, kind: "connect", engine: name, port: leaders }, [leaders]);
    this.#attempt(own, "port");
  }

  #byRelay(): void {
    if (this.#heard === undefined) return;
    this.#attempt(this.#parts.tabs.connect(this.#heard.leaderId), "broadcast");
  }

  #attempt(port: Port, transport: "port" | "broadcast"): void {
    const { code, memberId } = this.#parts;
    if (this.#attempts.length >= ATTEMPTS_MAX) this.#attempts.shift()?.close();
    const connection = new Connection(
      port,
      transport,
      { kind: "hello", code, memberId },
      {
        welcomed: (welcomed, welcome) => this.#welcomed(welcomed, welcome),
        unsupported: (other) => this.#parts.unsupported(other),
        over: (ended) => this.#over(ended),
        heard: () => {
          this.#silentBeats = 0;
          this.#muteBeats = 0;
        },
      },
    );
    this.#attempts.push(connection);
  }

  #welcomed(connection: Connection, { epoch, leaderId, code }: Welcome): void {
    const place = this.#attempts.indexOf(connection);
    if (place < 0) return;
    this.#attempts.splice(place, 1);
    if (this.#connected !== undefined || this.#isPast(epoch)) {
      connection.close();
      return;
    }
    const { engine, transport } = connection;
    const target = new Target(engine, { epoch, leaderId, transport }, () => this.#doubt(target));
    this.#connected = { connection, target };
    this.#transport = transport;
    this.#muteBeats = 0;
    this.#stopLooking();
    void this.#watchLeader(target);
    this.#parts.found(target, code);
  }

  #over(connection: Connection): void {
    const place = this.#attempts.indexOf(connection);
    if (place >= 0) this.#attempts.splice(place, 1);
    else if (this.#connected?.connection === connection) this.#again();
  }

  /** An answer said that the leader does not lead any more. */
  #doubt(target: Target): void {
    if (this.#connected?.target === target) this.#again();
  }

  /** The lock that a leader holds for as long as it lives is free when it died. */
  async #watchLeader(target: Target): Promise<void> {
    const { name, locks } = this.#parts;
    const watch = new AbortController();
    this.#watch = watch;
    try {
      const lockName = aliveLockName(name, target.facts.epoch);
      const lock = await locks.acquire(lockName, { mode: "shared", signal: watch.signal });
      lock.release();
      this.#doubt(target);
    } catch {
      // The connection ended first; or locks are not to be had, and silence must tell.
    }
  }

  /** Gives the connection up and looks for the next leader. */
  #again(): void {
    this.#drop();
    if (this.#running) this.#look();
  }

  #drop(): void {
    const { connection, target } = this.#connected ?? {};
    this.#connected = undefined;
    this.#watch?.abort();
    this.#watch = undefined;
    connection?.close();
    if (target !== undefined) this.#parts.lost(target);
  }

  #stopLooking(): void {
    this.#stopTry();
    for (const attempt of this.#attempts.splice(0)) attempt.close();
  }

  /** Counts beats without a sign of life; beats of a context that was frozen itself prove nothing. */
  #beat(): void {
    const { clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    this.#stopBeat = clock.after(BEAT_MS, () => {
      const late = clock.monotonicMs() - startedMs > LATE_BEAT_MS;
      this.#silentBeats = late ? 0 : this.#silentBeats + 1;
      this.#muteBeats = late ? 0 : this.#muteBeats + 1;
      this.#beat();
      this.#judgeSilence();
    });
  }

  #judgeSilence(): void {
    const { tabs, memberId, random, silent } = this.#parts;
    // A leader whose timers are slowed down still answers what it is asked.
    if (this.#connected === undefined || this.#muteBeats > 1) {
      tabs.say({ kind: "who-leads", memberId });
    }
    if (this.#connected !== undefined && this.#muteBeats >= MUTE_BEATS_MAX) this.#again();
    // Of several that wait, one should be the first to lose its patience.
    const jitter = (random.fill(new Uint8Array(1))[0] ?? 0) % 2;
    if (this.#silentBeats < SILENT_BEATS_MAX + jitter) return;
    this.#silentBeats = 0;
    silent();
  }
}
