/** The streams of one engine: finds, creates and deletes them through the log, and decides on changes in turn. */
import {
  ACCOUNT_ID,
  LimitExceededError,
  MillraceError,
  ResourceInUseError,
  ResourceNotFoundError,
} from "../errors/index.ts";
import type { ControlRecord, StreamDefinition } from "../log/control-records.ts";
import { encryptionOf, isDestroyed } from "../log/data-keys.ts";
import type { Log } from "../log/log.ts";
import { SHARD_SLOTS_MAX } from "../log/shard-slots.ts";
import type { Clock } from "../platform/platform.ts";
import { REGION } from "./arns.ts";
import { ON_DEMAND_STREAMS_MAX } from "./capacity.ts";
import { describeStream } from "./descriptions.ts";
import { Documents, streamPrefix } from "./documents.ts";
import { isOpen, openShardsOf } from "./lineage.ts";
import { checkKeeping, defineStream, type NewStream } from "./new-stream.ts";
import { nameOf, type StreamReference } from "./stream-reference.ts";
import type {
  EncryptionDescription,
  StreamDescription,
  StreamKeeping,
  StreamMode,
  StreamStatus,
} from "./stream-types.ts";
import { Transitions } from "./transitions.ts";

/** Open shards of one engine. */
export const OPEN_SHARDS_MAX = 500;
/** How soon a deletion that could not be committed is tried again, in ms. */
const DELETION_RETRY_MS = 1000;
/** Streams that may be CREATING at once when rates of control operations are enforced. */
const CREATING_MAX = 5;

export type { StreamReference } from "./stream-reference.ts";

/** Wraps the removal of a stream: `remove` is to be called once, with what is to go in the same change. */
export type RemovalGuard = (
  streamUid: number,
  remove: (also: readonly ControlRecord[]) => Promise<void>,
) => Promise<void>;

/** The options of an engine that its catalogue follows. */
export interface CatalogueOptions {
  /** How long streams are CREATING, UPDATING or DELETING, in ms; 0 when absent. */
  readonly transitionMs?: number;
  /** Whether AWS's rates of control operations are enforced; false when absent. */
  readonly controlQuotas?: boolean;
}

/** Streams by name. */
export class Catalogue {
  readonly documents: Documents;
  readonly transitions: Transitions;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #controlQuotas: boolean;
  /** Changes run one after the other, so that two of them never decide on the same state. */
  #lastChange: Promise<unknown> = Promise.resolve();
  /** Cancellations of deletions that wait for their time, by the stream's uid. */
  readonly #deletions = new Map<number, () => void>();
  #stopped = false;
  #guard: RemovalGuard = (_streamUid, remove) => remove([]);

  constructor(log: Log, clock: Clock, options: CatalogueOptions = {}) {
    this.#log = log;
    this.#clock = clock;
    this.#controlQuotas = options.controlQuotas ?? false;
    this.documents = new Documents(log);
    this.transitions = new Transitions(this.documents, clock, options.transitionMs ?? 0);
  }

  /** Takes up after an opening what the last life left: deletes what is overdue, and the rest in its time. */
  async resume(): Promise<void> {
    for (const stream of this.list()) {
      if (this.status(stream) !== "DELETING") continue;
      if (this.transitions.leftMs(stream.uid) === 0) await this.#removeNowOrLater(stream.uid);
      else this.#removeLater(stream.uid, this.transitions.leftMs(stream.uid));
    }
  }

  /** Cancels what waits for its time; the next life takes it up. */
  stop(): void {
    this.#stopped = true;
    for (const cancel of this.#deletions.values()) cancel();
    this.#deletions.clear();
  }

  /** Has streams removed through a guard from now on, for whoever keeps something that goes with them. */
  guardRemovals(guard: RemovalGuard): void {
    this.#guard = guard;
  }

  /** All streams in the order of their names. */
  list(): StreamDefinition[] {
    return [...this.#log.control.streams()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** A stream, or undefined when there is none of that name. */
  find(name: string): StreamDefinition | undefined {
    for (const stream of this.#log.control.streams()) if (stream.name === name) return stream;
    return undefined;
  }

  /** A stream. @throws ResourceNotFoundError when there is none of that name. */
  get(name: string): StreamDefinition {
    const stream = this.find(name);
    if (stream === undefined) throw ResourceNotFoundError.stream(name);
    return stream;
  }

  /** A stream. @throws ResourceNotFoundError when there is none with that uid. */
  getByUid(uid: number): StreamDefinition {
    const stream = this.#log.control.stream(uid);
    if (stream === undefined) throw ResourceNotFoundError.stream(`uid ${uid}`);
    return stream;
  }

  /**
   * The stream that a call names.
   * @throws InvalidArgumentError when it names none or two, ResourceNotFoundError when there is none.
   */
  resolve(reference: StreamReference): StreamDefinition {
    return this.get(nameOf(reference));
  }

  /** Status of a stream now. */
  status(stream: StreamDefinition): StreamStatus {
    return this.transitions.statusOf(stream.uid);
  }

  /** A stream as it is described to the application. */
  describe(stream: StreamDefinition): StreamDescription {
    return describeStream(stream, this.status(stream), this.encryption(stream));
  }

  /** How a stream is encrypted; null when it is not. */
  encryption({ uid }: StreamDefinition): EncryptionDescription | null {
    const { control } = this.#log;
    const encryption = encryptionOf(control, uid);
    if (encryption === undefined) return null;
    const { masterKeyId, keyName, dataKeyId } = encryption;
    return { masterKeyId, keyName, shredded: isDestroyed(control, dataKeyId) };
  }

  /** Refuses a change of a stream that is not ACTIVE. @throws ResourceInUseError. */
  requireActive(stream: StreamDefinition): void {
    const status = this.status(stream);
    if (status === "ACTIVE") return;
    throw new ResourceInUseError(
      `Stream ${stream.name} under account ${ACCOUNT_ID} not ACTIVE, instead in state ${status}`,
      { argument: "StreamName", value: stream.name, retryable: true },
    );
  }

  /** Refuses puts and reads of a stream that is still or already none. @throws ResourceNotFoundError. */
  requireUsable(stream: StreamDefinition): void {
    const status = this.status(stream);
    if (status === "CREATING" || status === "DELETING") {
      throw ResourceNotFoundError.stream(stream.name);
    }
  }

  /** Number of open shards of all streams. */
  get openShards(): number {
    return this.list().reduce((sum, stream) => sum + stream.shards.filter(isOpen).length, 0);
  }

  /**
   * Refuses shards that the engine has no room for. `added` is how many more are open in the end,
   * `opened` how many come into being on the way; closed shards need room until they expire.
   * @throws LimitExceededError.
   */
  requireRoom(added: number, opened: number): void {
    const open = this.openShards;
    const held = this.#log.control.shardCount;
    if (open + added <= OPEN_SHARDS_MAX && held + opened <= SHARD_SLOTS_MAX) return;
    const overOpen = open + added > OPEN_SHARDS_MAX;
    const [current, limit, more] = overOpen
      ? [open, OPEN_SHARDS_MAX, added]
      : [held, SHARD_SLOTS_MAX, opened];
    throw new LimitExceededError(
      `This request would exceed the shard limit for the account ${ACCOUNT_ID} in ${REGION}. ` +
        `Current shard count for the account: ${current}. Limit: ${limit}. ` +
        `Number of additional shards that would have resulted from this request: ${more}.` +
        (overOpen ? "" : " Closed shards count until their records expire."),
      { argument: "shards", value: more, limit: limit - current },
    );
  }

  /**
   * Decides on a change and makes it: `decide` sees the state after all changes before it, and its
   * records are committed in one frame. Resolves once they are applied.
   */
  change(decide: () => readonly ControlRecord[]): Promise<void> {
    return this.#serially(async () => {
      const records = decide();
      if (records.length > 0) await this.#log.change(records);
    });
  }

  /** Does what decides and changes by itself, after all changes before it and before those after it. */
  exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    return this.#serially(work);
  }

  /**
   * Creates a stream; durable when it resolves. `alsoFor` gives what is committed with it.
   * @throws ResourceInUseError, LimitExceededError.
   */
  create(
    spec: NewStream,
    alsoFor: (stream: StreamDefinition) => readonly ControlRecord[] = () => [],
  ): Promise<StreamDefinition> {
    return this.#serially(async () => {
      const mode = spec.mode ?? "PROVISIONED";
      this.#checkNew(spec.name, mode);
      // Before there are ranges of them: nobody may ask for billions of shards and be given the work.
      if (mode === "PROVISIONED") this.requireRoom(spec.shards, spec.shards);
      const stream = defineStream(this.#log.control, spec, this.#clock.nowMs());
      const shards = openShardsOf(stream).length;
      this.requireRoom(shards, shards);
      await this.#log.change([
        { kind: "stream-created", stream },
        ...this.transitions.beginning(stream.uid, "CREATING"),
        ...alsoFor(stream),
      ]);
      return stream;
    });
  }

  /**
   * Deletes a stream with all its records; durable when it resolves, or DELETING until it is gone.
   * `check` refuses by throwing. @throws ResourceNotFoundError.
   */
  delete(name: string, check: (stream: StreamDefinition) => void = () => {}): Promise<void> {
    return this.#serially(async () => {
      const stream = this.get(name);
      check(stream);
      const records = this.transitions.beginning(stream.uid, "DELETING");
      if (records.length === 0) {
        await this.#removeNow(stream.uid);
      } else if (this.status(stream) !== "DELETING") {
        await this.#log.change(records);
        this.#removeLater(stream.uid, this.transitions.leftMs(stream.uid));
      }
    });
  }

  /**
   * Changes how a stream is kept; durable when it resolves. What is undefined stays.
   * @throws ResourceNotFoundError, ResourceInUseError, InvalidArgumentError.
   */
  async configure(name: string, wanted: StreamKeeping): Promise<StreamDefinition> {
    const settings = checkKeeping(wanted);
    await this.change(() => {
      const stream = this.get(name);
      this.requireActive(stream);
      const { durability = stream.durability, whenFull = stream.whenFull } = settings;
      const same = durability === stream.durability && whenFull === stream.whenFull;
      if (same) return [];
      const changed = { durability, whenFull };
      return [{ kind: "stream-updated", streamUid: stream.uid, settings: changed }];
    });
    return this.get(name);
  }

  /** Removes a stream with all that is kept about it. */
  #removeNow(streamUid: number): Promise<void> {
    return this.#guard(streamUid, async (also) => {
      await this.#log.change([
        ...this.documents.deletingAll(streamPrefix(streamUid)),
        ...also,
        { kind: "stream-deleted", streamUid },
      ]);
    });
  }

  #removeLater(streamUid: number, delayMs: number): void {
    if (this.#stopped) return;
    const cancel = this.#clock.after(delayMs, () => {
      this.#deletions.delete(streamUid);
      void this.#removeNowOrLater(streamUid);
    });
    this.#deletions.get(streamUid)?.();
    this.#deletions.set(streamUid, cancel);
  }

  async #removeNowOrLater(streamUid: number): Promise<void> {
    try {
      await this.#remove(streamUid);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      // A store that is full may not stay so. A log that takes no more changes ends this life, and
      // the next one takes the deletion up.
      if (this.#log.failure === undefined) this.#removeLater(streamUid, DELETION_RETRY_MS);
    }
  }

  #remove(streamUid: number): Promise<void> {
    return this.#serially(async () => {
      if (this.#log.control.stream(streamUid) !== undefined) await this.#removeNow(streamUid);
    });
  }

  #checkNew(name: string, wantedMode: StreamMode): void {
    if (this.find(name) !== undefined) {
      throw new ResourceInUseError(`Stream ${name} under account ${ACCOUNT_ID} already exists.`, {
        argument: "name",
        value: name,
      });
    }
    const creating = this.list().filter((other) => this.status(other) === "CREATING").length;
    if (this.#controlQuotas && creating >= CREATING_MAX) {
      throw new LimitExceededError(
        `Account ${ACCOUNT_ID} has ${creating} streams in state CREATING. Limit: ${CREATING_MAX}.`,
        { argument: "name", value: name, limit: CREATING_MAX, retryable: true },
      );
    }
    const onDemand = this.list().filter(({ mode }) => mode === "ON_DEMAND").length;
    if (wantedMode === "ON_DEMAND" && onDemand >= ON_DEMAND_STREAMS_MAX) {
      throw new LimitExceededError(
        `This request would exceed the on-demand stream limit for the account ${ACCOUNT_ID} in ` +
          `${REGION}. Limit: ${ON_DEMAND_STREAMS_MAX}.`,
        { argument: "mode", value: wantedMode, limit: ON_DEMAND_STREAMS_MAX },
      );
    }
  }

  #serially<Result>(change: () => Promise<Result>): Promise<Result> {
    const result = this.#lastChange.then(change);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }
}
