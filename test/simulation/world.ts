/** One run: a machine with pages that put and read, and a script of faults that happens to it. */
import type {
  StreamDescription,
  StreamSpec,
} from "../../engine/host/src/service/engine-service.ts";
import { AloneFleet } from "./alone-fleet.ts";
import { Consumers } from "./consumers.ts";
import type { FaultEvent, Script } from "./fault-script.ts";
import type { Connection, Fleet, Host } from "./fleet.ts";
import { History } from "./history.ts";
import type { Machine } from "./machine.ts";
import { MemberFleet } from "./member-fleet.ts";
import { Operator } from "./operator.ts";
import { Producer } from "./producer.ts";
import { Reader } from "./reader.ts";
import type { Process } from "./scheduler.ts";

/** A little more than the age at which the WAL is trimmed, in ms. */
const CHECKPOINT_MS = 305_000;
/** Time until a sleeping machine wakes up one that was frozen beside it, in ms. */
const AFTER_SLEEP_MS = 6000;

interface Page {
  readonly process: Process;
  readonly connection: Connection;
  readonly producer: Producer;
  readonly readers: Reader[];
}

/** A machine at work. */
export class World {
  readonly history: History;
  readonly fleet: Fleet;
  readonly operator: Operator;
  /** Absent where nobody reads as a group. */
  readonly consumers: Consumers | undefined;
  readonly #machine: Machine;
  readonly #script: Script;
  readonly #pages: Page[] = [];
  readonly #environment: Process;
  #pagesBegun = 0;
  #over = false;

  constructor(machine: Machine, script: Script, module: WebAssembly.Module) {
    this.#machine = machine;
    this.#script = script;
    this.history = new History(machine.verdict);
    this.fleet =
      script.sharing === "alone"
        ? new AloneFleet(machine, module)
        : new MemberFleet(machine, module, script.sharing === "brokered");
    this.#environment = machine.outside("environment");
    const connection = this.fleet.connect(machine.outside("operator"));
    this.operator = new Operator({ machine, connection, history: this.history });
    this.consumers = this.#consumers();
  }

  /** Whether the script has come to its end. */
  get over(): boolean {
    return this.#over;
  }

  /** Whether nothing is under way. */
  get settled(): boolean {
    const put = this.operator.settled && this.#pages.every(({ producer }) => producer.settled);
    // What is still put is read, too.
    if (put && this.#over) this.consumers?.rest();
    return put && this.consumers?.settled !== false;
  }

  /** What is under way, for messages. */
  get pending(): string {
    const pages = this.#pages.filter(({ producer }) => !producer.settled);
    const batches = pages.map(({ process, producer }) => `${process.name}: ${producer.unsettled}`);
    const controls = this.operator.settled ? "" : "a control call";
    return [...batches, controls, this.consumers?.pending].filter(Boolean).join("; ");
  }

  /** Starts an engine, streams and pages, and sets the faults up. */
  begin(): void {
    for (let index = 0; index < this.#script.streams; index += 1) {
      void this.operator.create(this.#spec(index));
    }
    for (let page = 0; page < this.#script.pages; page += 1) this.#beginPage();
    for (const event of this.#script.events) {
      this.#later(event.atMs, () => this.#strike(event));
    }
    this.consumers?.begin();
    for (const event of this.#script.group?.events ?? []) {
      this.#later(event.atMs, () => this.consumers?.strike(event));
    }
    this.#later(this.#script.durationMs, () => {
      this.#over = true;
    });
  }

  /** Nothing goes wrong from now on, and nothing new is put. */
  calmDown(): void {
    const { storeFaults, messageFaults } = this.#machine;
    Object.assign(storeFaults, { abortOneIn: 0, unknownOneIn: 0, closeOneIn: 0, flipOneIn: 0 });
    storeFaults.capacityBytes = Number.POSITIVE_INFINITY;
    Object.assign(messageFaults, { dropOneIn: 0, repeatOneIn: 0, reorderOneIn: 0 });
    for (const { producer } of this.#pages) producer.stop();
  }

  /** Ends all pages and workers. */
  end(): void {
    for (const page of this.#pages) for (const reader of page.readers) reader.stop();
    this.fleet.stop();
    for (const { process } of this.fleet.living) this.#machine.kill(process, "the run is over");
  }

  #consumers(): Consumers | undefined {
    const { group: script } = this.#script;
    if (script === undefined) return undefined;
    const { fleet, operator, history } = this;
    const pages = (): Connection[] =>
      this.#pages.filter(({ process }) => process.alive).map(({ connection }) => connection);
    return new Consumers({ machine: this.#machine, fleet, operator, history, script, pages });
  }

  #spec(index: number): StreamSpec {
    const relaxed = this.#script.relaxed && index === 0;
    const whenFull = this.#script.dropsOldest && index === 1 ? "drop-oldest" : "refuse-new";
    return {
      ...{ name: `stream-${index}`, shards: 1 + index * 2, retentionHours: 24, whenFull },
      ...{ recordKibMax: 1024, durability: relaxed ? "relaxed" : "strict" },
    };
  }

  #later(delayMs: number, action: () => void): void {
    this.#machine.scheduler.schedule(this.#environment, "fault", { delayMs }, () => {
      this.#noteWall();
      action();
      this.#noteWall();
    });
  }

  /** Some worker that does not lead. */
  get #follower(): Host | undefined {
    const { living, leader } = this.fleet;
    const followers = living.filter((host) => host !== leader);
    return followers[this.#machine.scheduler.random.below(Math.max(1, followers.length))];
  }

  #noteWall(): void {
    this.history.latestWallMs = Math.max(this.history.latestWallMs, this.#machine.wallMs);
  }

  #beginPage(): void {
    const { scheduler } = this.#machine;
    this.#pagesBegun += 1;
    const process = this.#machine.process(`p${this.#pagesBegun}`);
    const connection = this.fleet.connect(process);
    const parts = { machine: this.#machine, history: this.history, connection };
    const streams = (): readonly StreamDescription[] => this.operator.streams;
    const isSecret = (uid: number): boolean => this.operator.isSecret(uid);
    const { windowBatches, pauseMs, recordBytesMax } = this.#script;
    const settings = { windowBatches, pauseMs, recordBytesMax, recordsPerBatchMax: 4, keys: 4 };
    const producer = new Producer({ ...parts, streams, isSecret }, settings);
    const page: Page = { process, connection, producer, readers: [] };
    this.#pages.push(page);
    this.#machine.onDeath(process, () => {
      producer.abandon();
      for (const reader of page.readers) reader.stop();
    });
    if (this.#pagesBegun > 2) return;
    scheduler.schedule(
      process,
      "begins to read",
      { delayMs: 50 + scheduler.random.below(400) },
      () => {
        for (const stream of streams()) page.readers.push(new Reader(parts, stream));
      },
    );
  }

  #strike(event: FaultEvent): void {
    this.#machine.note(`fault ${JSON.stringify(event)}`);
    const { random } = this.#machine.scheduler;
    const { storeFaults, messageFaults } = this.#machine;
    const { leader } = this.fleet;
    switch (event.kind) {
      case "crash":
        if (leader !== undefined) this.#machine.kill(leader.process, "it crashes");
        return;
      case "close":
        if (leader !== undefined) this.fleet.close(leader);
        return;
      case "takeover":
        this.fleet.takeOver();
        return;
      case "freeze":
        if (leader !== undefined) this.#machine.freeze(leader.process, event.forMs);
        return;
      case "zombie":
        if (leader !== undefined) this.#zombie(leader);
        return;
      case "slow-candidate":
        this.#slowCandidate();
        return;
      case "power-cut":
        this.#powerCut();
        return;
      case "sleep":
        this.#sleep(event.forMs);
        return;
      case "wall-jump":
        this.#machine.wall.offsetMs += event.byMs;
        return;
      case "full":
        storeFaults.capacityBytes = this.#machine.disk.usedBytes + event.roomBytes;
        this.#excuseDropped();
        this.#later(event.forMs, () => {
          storeFaults.capacityBytes = Number.POSITIVE_INFINITY;
        });
        return;
      case "bad-store":
        Object.assign(storeFaults, {
          abortOneIn: event.oneIn,
          unknownOneIn: event.oneIn,
          closeOneIn: event.oneIn * 3,
        });
        this.#later(event.forMs, () =>
          Object.assign(storeFaults, { abortOneIn: 0, unknownOneIn: 0, closeOneIn: 0 }),
        );
        return;
      case "bad-segments":
        storeFaults.flipOneIn = 3;
        this.#later(event.forMs, () => {
          storeFaults.flipOneIn = 0;
        });
        return;
      case "bad-messages":
        Object.assign(messageFaults, { dropOneIn: 10, repeatOneIn: 10, reorderOneIn: 5 });
        this.#later(event.forMs, () =>
          Object.assign(messageFaults, { dropOneIn: 0, repeatOneIn: 0, reorderOneIn: 0 }),
        );
        return;
      case "page-ends": {
        const living = this.#pages.filter(({ process }) => process.alive);
        const page = living[random.below(Math.max(1, living.length))];
        if (page !== undefined) this.#machine.kill(page.process, "the page is closed");
        return;
      }
      case "page-begins":
        this.#beginPage();
        return;
      case "reshard":
        void this.operator.reshard(`stream-${random.below(this.#script.streams)}`);
        return;
      case "replace-stream":
        void this.operator.replace(this.#spec(random.below(this.#script.streams)));
        return;
      case "encrypt":
        void this.operator.encrypt(`stream-${random.below(this.#script.streams)}`);
        return;
      case "damage":
        this.#damage();
        return;
    }
  }

  /** The old leader wakes up when its successor has sealed and trimmed. */
  #zombie(leader: Host): void {
    const { scheduler } = this.#machine;
    this.#machine.freeze(leader.process, CHECKPOINT_MS + AFTER_SLEEP_MS);
    const candidate = this.fleet.takeOver();
    // Members wait until a leader has been silent for a while.
    const afterMs = candidate === undefined ? 5000 : 200;
    this.#later(afterMs + scheduler.random.below(400), () => this.#sleep(CHECKPOINT_MS));
  }

  #sleep(forMs: number): void {
    if (this.#over) return;
    this.#machine.note(`sleeps for ${forMs} ms`);
    this.#machine.scheduler.sleep(forMs, this.#environment);
  }

  #slowCandidate(): void {
    const { scheduler } = this.#machine;
    const candidate = this.fleet.takeOver() ?? this.#follower;
    if (candidate === undefined) return;
    this.#later(1 + scheduler.random.below(30), () => {
      if (!this.#over) this.#machine.freeze(candidate.process, CHECKPOINT_MS + AFTER_SLEEP_MS);
    });
    this.#later(200 + scheduler.random.below(400), () => this.#sleep(CHECKPOINT_MS));
  }

  /** From now on streams may lose their oldest records that say so, until there is room again. */
  #excuseDropped(): void {
    const streams = this.operator.streams.filter(({ whenFull }) => whenFull === "drop-oldest");
    for (const { uid } of streams) this.history.dropping.add(uid);
  }

  #powerCut(): void {
    const relaxed = new Set(
      this.operator.streams
        .filter(({ durability }) => durability === "relaxed")
        .map(({ uid }) => uid),
    );
    const lost = this.#machine.powerCut();
    if (lost) {
      this.history.excuse("a power cut", ({ streamUid }) => relaxed.has(streamUid));
    }
    for (let page = 0; page < this.#script.pages; page += 1) this.#beginPage();
  }

  /** Flips a byte of a frame or a segment, or removes it. */
  #damage(): void {
    const { disk, scheduler, watch } = this.#machine;
    const { random } = scheduler;
    const frames = disk.frameNumbers();
    const segments = disk.segmentKeys();
    const at = random.below(frames.length + segments.length);
    const flip = (bytes: Uint8Array | undefined): Uint8Array | undefined => {
      if (bytes === undefined || scheduler.oneIn(4)) return undefined;
      const place = random.below(bytes.byteLength);
      bytes[place] = (bytes[place] ?? 0) ^ (1 << random.below(8));
      return bytes;
    };
    const frameNumber = frames[at];
    const key = segments[at - frames.length];
    if (frameNumber !== undefined) {
      this.#machine.note(`damages frame ${frameNumber}`);
      disk.overwriteFrame(frameNumber, flip(disk.readFrame(frameNumber)));
    } else if (key !== undefined) {
      this.#machine.note(`damages segment ${key[0]}/${key[1]}`);
      disk.overwriteSegment(key, flip(disk.readSegment(key)));
    }
    watch.damaged();
    this.history.damaged = true;
  }
}
