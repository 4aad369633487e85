/**
 * Who leads: campaigns for the lock, opens the engine when it is granted, follows another leader otherwise,
 * and hands the lead over when it must.
 */
import { DeposedError, UnsupportedFormatError, VersionMismatchError } from "../errors/index.ts";
import { writerLockName } from "../platform/locks.ts";
import type { Channels, HeldLock, Locks, Platform, Port } from "../platform/platform.ts";
import type { EngineOptions, EngineService } from "../service/engine-service.ts";
import type { FromBroker, ToBroker } from "./broker-protocol.ts";
import { Campaign, type Next } from "./campaign.ts";
import { isNewer, OWN_CODE } from "./code-version.ts";
import { putKept } from "./kept-batches.ts";
import { LeaderDesk, refuseConnection } from "./leader-desk.ts";
import { BEAT_MS, LeaderLink } from "./leader-link.ts";
import { isObject, isPort } from "./messages.ts";
import { type Announcement, TabChannel } from "./tab-channel.ts";
import { aliveLockName, broadcastName, type CodeVersion } from "./tab-protocol.ts";
import { type LeaderFacts, Target, Targets } from "./targets.ts";
import { closeInTime, Term, type TermEnd } from "./term.ts";
import { WatchedEngine } from "./watched-engine.ts";

/** What a member works with. */
export interface MemberParts {
  readonly platform: Platform & { readonly channels: Channels };
  readonly options: EngineOptions;
  /** Opens the engine over a platform that has its lock already. */
  readonly openEngine: (platform: Platform) => Promise<EngineService>;
  /** What this build says of itself; its own version when absent. */
  readonly code?: CodeVersion | undefined;
}

/** Openings that fail one after the other before requests that wait fail, too. */
const OPENINGS_MAX = 3;
/** An opening that takes longer hangs: the others are no longer told to be patient, and steal the lock. In ms. */
const OPENING_MS_MAX = 100_000;
/** How long requests wait for a leader when this context cannot become it, in ms. */
const CLIENT_PATIENCE_MS = 4000;
/** The same for the first request of all, when nobody may be there to lead, in ms. */
const FIRST_PATIENCE_MS = 500;

/** Whoever yields lines up at once, behind those that wait. */
const NEXT_AFTER: Readonly<Record<TermEnd, Next>> = {
  resigned: "again",
  deposed: "soon",
  failed: "later",
};

/** A term as the others know it. */
interface Reign {
  readonly facts: LeaderFacts;
  readonly engine: EngineService;
  readonly term: Term;
  readonly end: (how: TermEnd) => void;
}

/** One context's way to a leader, itself or another. */
export class Leadership {
  readonly targets: Targets;
  readonly #parts: MemberParts;
  readonly #memberId: string;
  readonly #code: CodeVersion;
  readonly #tabs: TabChannel;
  readonly #link: LeaderLink;
  readonly #campaign: Campaign;
  #reign: Reign | undefined;
  #over: Promise<void> = Promise.resolve();
  #stopped = false;
  #opened = false;
  #openingsFailed = 0;
  #hindrance: Error | undefined;
  #why: string | undefined;
  /** Epoch of the leader that was last asked to yield. */
  #askedToYield = 0;

  constructor(parts: MemberParts, memberId: string) {
    this.#parts = parts;
    this.#memberId = memberId;
    this.#code = parts.code ?? OWN_CODE;
    const { platform, options } = parts;
    const { clock, random, locks, channels } = platform;
    const { name } = options;
    this.targets = new Targets(clock);
    this.#tabs = new TabChannel(channels.broadcast(broadcastName(name)), memberId, {
      announced: (message) => this.#announced(message),
      connected: (port) => this.#accept(port),
    });
    this.#campaign = new Campaign({
      ...{ clock, locks, lockName: writerLockName(name) },
      lead: (lock) => this.#lead(lock),
      refused: (error) => this.#openingFailed(error),
    });
    this.#link = new LeaderLink({
      ...{ name, memberId, code: this.#code, clock, random, locks, channels, tabs: this.#tabs },
      found: (target, code) => this.#found(target, code),
      lost: (target) => this.targets.end(target),
      silent: () => this.#campaign.steal(),
      unsupported: (code) => this.#unsupported(code),
    });
    channels.broker()?.listen((message) => {
      if (isObject(message)) this.#fromBroker(message as FromBroker);
    });
  }

  /** Contexts that this leader serves, itself included; 0 when it does not lead. */
  get members(): number {
    return this.#reign?.term.members ?? 0;
  }

  /** Why this context will not lead, if so. */
  get why(): string | undefined {
    return this.#why;
  }

  /** What keeps this context from leading at present. */
  get hindrance(): Error | undefined {
    return this.#hindrance;
  }

  /** How long requests wait for others to lead, in ms; undefined when this context can lead itself. */
  get patienceMs(): number | undefined {
    return this.#why === undefined ? undefined : CLIENT_PATIENCE_MS;
  }

  /** Begins to look for a leader, and lines up to become it. */
  start(): void {
    this.#link.start();
    this.#over = this.#campaign.run();
  }

  /** From now on a failure to lead is not the caller's who opens the engine. */
  opened(): void {
    this.#opened = true;
  }

  /** Ends this context's part in order; requests that wait fail. */
  async stop(error: Error): Promise<void> {
    this.#stopped = true;
    this.#campaign.stop();
    this.#link.stop();
    this.#reign?.end("resigned");
    this.targets.fail(error);
    await this.#over;
    this.targets.fail(error);
    this.#tabs.close();
  }

  /** One term, from the granted lock to its end. */
  async #lead(lock: HeldLock): Promise<Next> {
    let end: (how: TermEnd) => void = () => undefined;
    const over = new Promise<TermEnd>((resolve) => {
      end = resolve;
    });
    let stolen = false;
    void lock.stolen.then(() => {
      stolen = true;
      end("deposed");
    });
    let reign: Reign | undefined;
    try {
      reign = await this.#open(lock, end, () => stolen || this.#stopped);
    } catch (error) {
      return this.#openingFailed(error);
    }
    if (reign === undefined) return this.#stopped ? "never" : "soon";
    this.#openingsFailed = 0;
    this.#hindrance = undefined;
    this.#begin(reign);
    // Whoever closed this context while its locks were on the way found no reign to end.
    if (this.#stopped) end("resigned");
    const how = await over;
    await this.#end(reign, how);
    if (this.#stopped) return "never";
    return NEXT_AFTER[how];
  }

  /** Opens the engine behind the lock; undefined when the lock was lost meanwhile. */
  async #open(
    lock: HeldLock,
    end: (how: TermEnd) => void,
    unwanted: () => boolean,
  ): Promise<Reign | undefined> {
    const { platform, options } = this.#parts;
    const { clock, locks } = platform;
    const stopSaying = this.#sayOpens();
    try {
      const engine = await this.#parts.openEngine(withLock(platform, options.name, lock));
      if (unwanted()) {
        await closeInTime(clock, engine, "deposed");
        return undefined;
      }
      const { epoch, alive } = await this.#showAlive(engine);
      const watched = new WatchedEngine(engine, end);
      const leaderId = this.#memberId;
      const facts: LeaderFacts = { epoch, leaderId, transport: "local" };
      const target = new Target(watched, facts, () => end("failed"));
      const { name } = options;
      const desk = new LeaderDesk({
        ...{ name, locks, engine: watched, epoch, leaderId, code: this.#code },
      });
      const term = new Term({ clock, engine, desk, target, locks: [alive, lock] });
      return { facts, engine: watched, term, end };
    } finally {
      stopSaying();
    }
  }

  /** An engine that cannot be led is closed: it would go on beside the next one. @throws what it fails with. */
  async #showAlive(engine: EngineService): Promise<{ epoch: number; alive: HeldLock }> {
    const { clock, locks } = this.#parts.platform;
    try {
      const { epoch } = await engine.call("memberStatus", {});
      return { epoch, alive: await takeAliveLock(locks, aliveLockName(this.#name, epoch)) };
    } catch (error) {
      await closeInTime(clock, engine, "failed");
      throw error;
    }
  }

  /** Followers connect through the broker, so that it is told before they are. */
  #begin(reign: Reign): void {
    this.#reign = reign;
    this.#link.stop();
    const { epoch } = reign.facts;
    this.#tellBroker({ broker: 1, kind: "lead", engine: this.#name, epoch });
    this.#sayLeads(reign);
    this.targets.begin(reign.term.target);
  }

  async #end(reign: Reign, how: TermEnd): Promise<void> {
    const { term, facts } = reign;
    this.#reign = undefined;
    this.targets.retire(term.target);
    this.#tellBroker({ broker: 1, kind: "resign", engine: this.#name });
    if (how !== "resigned") {
      this.targets.end(term.target);
      // Whoever deposed it is there already, or will be before this engine has closed.
      if (!this.#stopped) this.#link.start();
    }
    await term.end(how, () => this.#tabs.say({ kind: "resigns", epoch: facts.epoch }));
    if (!this.#stopped) this.#link.start();
  }

  /** Whoever waits for a leader is patient while one opens a large log. */
  #sayOpens(): () => void {
    const { clock } = this.#parts.platform;
    const startedMs = clock.monotonicMs();
    let stop: () => void = () => undefined;
    const say = (): void => {
      if (clock.monotonicMs() - startedMs > OPENING_MS_MAX) return;
      this.#tabs.say({ kind: "opens", memberId: this.#memberId });
      stop = clock.after(BEAT_MS, say);
    };
    say();
    return () => stop();
  }

  #openingFailed(error: unknown): Next {
    if (error instanceof DeposedError) return "soon";
    this.#hindrance = error instanceof Error ? error : new Error(String(error));
    this.#openingsFailed += 1;
    if (error instanceof UnsupportedFormatError) {
      this.#why = error.message;
      // Another context may be of a build that can lead; those that wait already are told when there is none.
      const waitMs = this.#opened ? CLIENT_PATIENCE_MS : FIRST_PATIENCE_MS;
      this.#parts.platform.clock.after(waitMs, () => this.targets.fail(error));
      return "never";
    }
    if (!this.#opened || this.#openingsFailed >= OPENINGS_MAX) this.targets.fail(error);
    return "later";
  }

  #found(target: Target, code: CodeVersion): void {
    this.targets.begin(target);
    this.#askToYield(code, target.facts.epoch);
  }

  /** A context that could not open the log itself must not ask others to let go of it. */
  #askToYield(code: CodeVersion, epoch: number): void {
    if (!isNewer(this.#code, code) || this.#openingsFailed > 0) return;
    if (epoch !== 0 && epoch === this.#askedToYield) return;
    this.#askedToYield = epoch;
    this.#tabs.say({ kind: "please-yield", memberId: this.#memberId, code: this.#code });
  }

  #unsupported(code: CodeVersion): void {
    this.#askToYield(code, 0);
    if (isNewer(this.#code, code)) return;
    this.#hindrance = new VersionMismatchError(
      `the tab that leads the engine is of version ${code.version}, which this one does not ` +
        "understand: reload this page",
      { argument: "version", value: code.version, limit: this.#code.version },
    );
    this.targets.fail(this.#hindrance);
  }

  #announced(message: Announcement): void {
    const reign = this.#reign;
    if (reign === undefined) {
      this.#link.announced(message);
      return;
    }
    if (message.kind === "who-leads") this.#sayLeads(reign);
    if (message.kind === "please-yield" && isNewer(message.code, this.#code)) reign.end("resigned");
    if (message.kind !== "leads") return;
    // Two that believe to lead: the log has decided already, and the one with the lower epoch lost.
    if (message.epoch > reign.facts.epoch) reign.end("deposed");
    else if (message.epoch < reign.facts.epoch) this.#sayLeads(reign);
  }

  #sayLeads({ facts: { epoch, leaderId } }: Reign): void {
    this.#tabs.say({ kind: "leads", epoch, leaderId, code: this.#code });
  }

  #accept(port: Port): void {
    if (this.#reign === undefined) refuseConnection(port);
    else this.#reign.term.accept(port);
  }

  #fromBroker(message: FromBroker): void {
    if (message.engine !== this.#name) return;
    if (message.kind === "connection" && isPort(message.port)) this.#accept(message.port);
    if (message.kind === "kept") void this.#putKept(message);
  }

  async #putKept({ id, batches }: Extract<FromBroker, { kind: "kept" }>): Promise<void> {
    if (this.#reign === undefined) return;
    const settled = await putKept(this.#reign.engine, batches, this.#parts.platform.clock);
    if (settled) this.#tellBroker({ broker: 1, kind: "kept-settled", engine: this.#name, id });
  }

  #tellBroker(message: ToBroker): void {
    this.#parts.platform.channels.broker()?.post(message);
  }

  get #name(): string {
    return this.#parts.options.name;
  }
}

/** Only a zombie of a log that was cleared can hold the lock of an epoch that has just begun. */
async function takeAliveLock(locks: Locks, name: string): Promise<HeldLock> {
  return (await locks.tryAcquire(name)) ?? (await locks.acquire(name, { steal: true }));
}

/** The platform as an engine sees it that is opened behind a lock which is held, and not the engine's to release. */
function withLock(platform: Platform, engineName: string, lock: HeldLock): Platform {
  const { locks } = platform;
  const held: HeldLock = { release: () => undefined, stolen: lock.stolen };
  return {
    ...platform,
    locks: {
      acquire: (name, wish) => locks.acquire(name, wish),
      tryAcquire: async (name) =>
        name === writerLockName(engineName) ? held : await locks.tryAcquire(name),
    },
  };
}
