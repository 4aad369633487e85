/** The streams of a Kinesis elsewhere: made, found, listed and deleted by name. */
import { NotSupportedError, ResourceInUseError, ResourceNotFoundError } from "@millrace/engine";
import type { OutputOf } from "@millrace/engine/model";
import { checkName } from "../check.ts";
import type { StreamsLike } from "../stream-like.ts";
import {
  type CompleteSpec,
  compareSpec,
  completeSpec,
  type StreamOptions,
} from "../stream-spec.ts";
import { PutLanes } from "./put-lanes.ts";
import type { RemoteCalls } from "./remote-calls.ts";
import { RECORD_KIB_MAX, type RemoteStreamDescription } from "./remote-description.ts";
import { RemoteDesk } from "./remote-desk.ts";
import { RemoteStream } from "./remote-stream.ts";
import { RemoteTarget } from "./remote-target.ts";

/** What is described at once by `list`: AWS allows 20 such calls per second. */
const DESCRIBED_AT_ONCE = 4;
const RETENTION_HOURS = 24;
/** What Kinesis decides itself. */
const AS_KINESIS = { durability: "strict", whenFull: "refuse-new" } as const;

/** How a backend's streams behave. */
export interface RemoteStreamsSettings {
  readonly ordered: boolean;
  readonly pollMs: number;
}

/** The streams of one open backend. */
export class RemoteStreams implements StreamsLike {
  readonly #calls: RemoteCalls;
  readonly #settings: RemoteStreamsSettings;
  readonly #desk: RemoteDesk;
  /** One per stream, whoever asks for it, so that the order of calls is one; by ARN and time of creation. */
  readonly #lanes = new Map<string, PutLanes>();

  /** Made by `open`. */
  constructor(calls: RemoteCalls, settings: RemoteStreamsSettings) {
    this.#calls = calls;
    this.#settings = settings;
    this.#desk = new RemoteDesk(calls);
  }

  /**
   * Creates a stream; resolves when it is active. What Kinesis decides itself, `durability` and `whenFull`,
   * can only be what it does: "strict" and "refuse-new".
   *
   * @throws ResourceInUseError, LimitExceededError, InvalidArgumentError, NotSupportedError.
   */
  async create(name: string, spec: StreamOptions = {}): Promise<RemoteStream> {
    return this.#stream(await this.#create(name, spec));
  }

  /** The stream of that name, created when there is none. @throws StreamSpecMismatchError; as {@link create}. */
  async ensure(name: string, spec: StreamOptions = {}): Promise<RemoteStream> {
    checkRemoteSpec(name, spec);
    const found = (await this.#find(name)) ?? (await this.#createOrFind(name, spec));
    compareSpec(found, spec);
    return this.#stream(found);
  }

  /** An existing stream. @throws ResourceNotFoundError, InvalidArgumentError. */
  async get(name: string): Promise<RemoteStream> {
    checkName("name", name);
    return this.#stream(await this.#desk.describe(name));
  }

  /** All streams in the order of their names. Asks about each one. */
  async list(): Promise<RemoteStreamDescription[]> {
    const names = await this.#names();
    const described: RemoteStreamDescription[] = [];
    while (names.length > 0) {
      const next = names.splice(0, DESCRIBED_AT_ONCE).map((name) => this.#find(name));
      // One that was deleted meanwhile is none.
      described.push(...(await Promise.all(next)).filter((one) => one !== undefined));
    }
    return described.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** Deletes a stream with its records and consumers; resolves when it is gone. @throws ResourceNotFoundError. */
  async delete(name: string): Promise<void> {
    checkName("name", name);
    await this.#calls.call("DeleteStream", { StreamName: name, EnforceConsumerDeletion: true });
    await this.#desk.gone(name);
  }

  /** Resolves when no put waits or is under way. */
  async settled(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map((lanes) => lanes.settled()));
  }

  async #create(name: string, spec: StreamOptions): Promise<RemoteStreamDescription> {
    const { shards, mode, retentionHours, recordKibMax } = checkRemoteSpec(name, spec);
    await this.#desk.invoke("CreateStream", {
      StreamName: name,
      ...(mode === "ON_DEMAND"
        ? { StreamModeDetails: { StreamMode: mode } }
        : { ShardCount: shards }),
      ...(recordKibMax === RECORD_KIB_MAX ? {} : { MaxRecordSizeInKiB: recordKibMax }),
    });
    if (retentionHours !== RETENTION_HOURS) {
      const RetentionPeriodHours = retentionHours;
      const input = { StreamName: name, RetentionPeriodHours };
      await this.#desk.invoke("IncreaseStreamRetentionPeriod", input);
    }
    const made = await this.#desk.describe(name);
    for (const [argument, wanted] of Object.entries({ mode, recordKibMax })) {
      const there = made[argument as "mode" | "recordKibMax"];
      if (there === wanted) continue;
      throw new NotSupportedError(
        `${this.#calls.place} created stream ${name} with ${argument} ${there}, not ${wanted}`,
        { argument, value: wanted, limit: there },
      );
    }
    return made;
  }

  async #names(): Promise<string[]> {
    const names: string[] = [];
    for (;;) {
      const last = names.at(-1);
      const input = last === undefined ? {} : { ExclusiveStartStreamName: last };
      const page: OutputOf<"ListStreams"> = await this.#calls.call("ListStreams", input);
      names.push(...page.StreamNames);
      if (!page.HasMoreStreams || page.StreamNames.length === 0) return names;
    }
  }

  async #find(name: string): Promise<RemoteStreamDescription | undefined> {
    try {
      return await this.#desk.describe(name);
    } catch (error) {
      if (error instanceof ResourceNotFoundError) return undefined;
      throw error;
    }
  }

  async #createOrFind(name: string, spec: StreamOptions): Promise<RemoteStreamDescription> {
    try {
      return await this.#create(name, spec);
    } catch (error) {
      // Somebody else created it in between.
      if (!(error instanceof ResourceInUseError)) throw error;
      await this.#desk.active(name);
      return await this.#desk.describe(name);
    }
  }

  #stream(description: RemoteStreamDescription): RemoteStream {
    const calls = this.#calls;
    const id = `${description.arn} ${description.createdMs}`;
    const recordBytesMax = description.recordKibMax * 1024;
    let lanes = this.#lanes.get(id);
    if (lanes === undefined) {
      const target = new RemoteTarget(calls, description, { admitted: true });
      const { ordered } = this.#settings;
      lanes = new PutLanes(target, { ordered, recordBytesMax, admit: () => calls.checkOpen() });
      this.#lanes.set(id, lanes);
    }
    lanes.update(recordBytesMax);
    const { pollMs } = this.#settings;
    return new RemoteStream({ calls, desk: this.#desk, lanes, pollMs }, description);
  }
}

/** The whole specification. @throws InvalidArgumentError; NotSupportedError for what no Kinesis does. */
function checkRemoteSpec(name: string, spec: StreamOptions): CompleteSpec {
  const complete = completeSpec(name, spec);
  for (const [field, limit] of Object.entries(AS_KINESIS)) {
    const value = complete[field as keyof typeof AS_KINESIS];
    if (value === limit) continue;
    throw new NotSupportedError(
      `spec.${field} can only be "${limit}" for a stream of Kinesis, but it is "${value}"`,
      { argument: `spec.${field}`, value, limit },
    );
  }
  return complete;
}
