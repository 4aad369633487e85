/** A page that creates, reshards, changes and deletes streams while others put and read. */
import { ROOT_PRINCIPAL } from "../../engine/host/src/access/principals.ts";
import { MillraceError } from "../../engine/host/src/errors/index.ts";
import type {
  StreamDescription,
  StreamSpec,
} from "../../engine/host/src/service/engine-service.ts";
import { type Connection, LostError } from "./fleet.ts";
import type { History } from "./history.ts";
import type { Machine } from "./machine.ts";

/** Errors that mean that the store, or the time, was wrong, not the call. */
const PASSING = new Set([
  "StoreFullException",
  "StoreFailedException",
  "InternalFailureException",
  "IndeterminateException",
  "OutcomeUnknownException",
  "LimitExceededException",
  "ResourceInUseException",
  "BackpressureException",
]);
/** Somebody else resharded the shard after it was looked at. */
const RESHARDED = /has already been merged or split/;
const RETRY_MS = 100;
const MASTER_KEY = "alias/aws/kinesis";
/** AWS's operations that the operator uses. */
type Change =
  | "SplitShard"
  | "MergeShards"
  | "StartStreamEncryption"
  | "StopStreamEncryption"
  | "IncreaseStreamRetentionPeriod";

/** What an operator works with. */
export interface OperatorParts {
  readonly machine: Machine;
  readonly history: History;
  readonly connection: Connection;
}

/** Makes one control call at a time. */
export class Operator {
  readonly #parts: OperatorParts;
  readonly #streams = new Map<string, StreamDescription>();
  readonly #secret = new Set<number>();
  #busy = 0;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
  }

  /** Streams that can be put into. */
  get streams(): readonly StreamDescription[] {
    return [...this.#streams.values()];
  }

  /** Whether no call is under way. */
  get settled(): boolean {
    return this.#busy === 0;
  }

  /** Creates a stream, whatever it takes. */
  create(spec: StreamSpec): Promise<void> {
    return this.#work(`create ${spec.name}`, async () => {
      const stream = await this.#ensure(spec);
      this.#streams.set(spec.name, stream);
      this.#parts.history.retentionHours.set(stream.uid, spec.retentionHours);
    });
  }

  /** Deletes a stream and creates its namesake. */
  replace(spec: StreamSpec): Promise<void> {
    return this.#work(`replace ${spec.name}`, async () => {
      const old = this.#streams.get(spec.name);
      if (old === undefined) return;
      this.#streams.delete(spec.name);
      this.#parts.history.deleted.add(old.uid);
      await this.#persist(`delete ${spec.name}`, async (again) => {
        // Whoever asks a second time must not delete the namesake of somebody else; here there is none.
        const { connection } = this.#parts;
        await connection.ask(`delete ${spec.name}`, (service) =>
          service.call("deleteStream", { name: spec.name }, again),
        );
      });
      const stream = await this.#ensure(spec);
      this.#streams.set(spec.name, stream);
      this.#parts.history.retentionHours.set(stream.uid, spec.retentionHours);
    });
  }

  /** Splits a shard, or merges two neighbours. */
  reshard(name: string): Promise<void> {
    const { machine } = this.#parts;
    const { random } = machine.scheduler;
    return this.#work(`reshard ${name}`, async () => {
      const stream = await this.#persist(`describe ${name}`, () => this.#describe(name));
      if (stream === undefined) return;
      const at = random.below(stream.openShards.length);
      const [lower, upper] = stream.openShards.slice(at, at + 2);
      if (lower === undefined) return;
      if (upper !== undefined && (stream.openShards.length > 5 || random.below(2) === 0)) {
        await this.#invokeOnce("MergeShards", {
          ...{ StreamName: name, ShardToMerge: lower.shardId },
          AdjacentShardToMerge: upper.shardId,
        });
        return;
      }
      const middle = (BigInt(lower.startingHashKey) + BigInt(lower.endingHashKey)) / 2n + 1n;
      await this.#invokeOnce("SplitShard", {
        ...{ StreamName: name, ShardToSplit: lower.shardId },
        NewStartingHashKey: middle.toString(),
      });
    });
  }

  /** Streams whose records are certainly encrypted wherever they are put from now on. */
  isSecret(streamUid: number): boolean {
    return this.#secret.has(streamUid);
  }

  /** Switches encryption of a stream on or off, or gives it a new key. */
  encrypt(name: string): Promise<void> {
    const { machine, history } = this.#parts;
    const uid = this.#streams.get(name)?.uid;
    if (uid === undefined) return Promise.resolve();
    const what = machine.scheduler.random.below(4);
    if (what === 0) {
      return this.#work("rotate keys", async () => {
        const { connection } = this.#parts;
        await connection.ask("rotate keys", (service) =>
          service.call("keysRotate", { keyId: MASTER_KEY }),
        );
      });
    }
    const input = { StreamName: name, EncryptionType: "KMS", KeyId: MASTER_KEY };
    const operation = what === 1 ? "StopStreamEncryption" : "StartStreamEncryption";
    if (what === 1) {
      this.#secret.delete(uid);
      history.disclose(uid);
    }
    return this.#work(`${operation} ${name}`, async () => {
      const answered = await this.#invokeOnce(operation, input);
      // Two switches at a time may take effect in either order.
      if (answered && what !== 1 && this.#busy === 1) this.#secret.add(uid);
    });
  }

  async #work(label: string, work: () => Promise<void>): Promise<void> {
    this.#busy += 1;
    try {
      await work();
      this.#parts.machine.note(`${label} is done`);
    } catch (error) {
      const passing =
        error instanceof LostError ||
        (error instanceof MillraceError &&
          (PASSING.has(error.code) ||
            error.code === "ResourceNotFoundException" ||
            RESHARDED.test(error.message)));
      this.#parts.machine.note(`${label} failed: ${String(error)}`);
      if (!passing) this.#parts.machine.verdict.report("error", `${label}: ${String(error)}`);
    } finally {
      this.#busy -= 1;
    }
  }

  async #describe(name: string): Promise<StreamDescription | undefined> {
    const { connection } = this.#parts;
    return await connection.ask(`describe ${name}`, async (service) => {
      const streams = await service.call("listStreams", {});
      return streams.find((stream) => stream.name === name);
    });
  }

  async #ensure(spec: StreamSpec): Promise<StreamDescription> {
    const { connection } = this.#parts;
    return await this.#persist(`create ${spec.name}`, async (again) => {
      const there = await this.#describe(spec.name);
      if (there !== undefined) return there;
      return await connection.ask(`create ${spec.name}`, (service) =>
        service.call("createStream", spec, again),
      );
    });
  }

  /** Makes a call that must not be made twice: one whose answer was lost is left as it is. Whether it was answered. */
  async #invokeOnce(operation: Change, input: unknown): Promise<boolean> {
    const { connection } = this.#parts;
    const caller = { principal: ROOT_PRINCIPAL };
    try {
      await connection.ask(operation, (service) =>
        service.call("invoke", { operation, input, caller }),
      );
      return true;
    } catch (error) {
      if (!(error instanceof LostError)) throw error;
      return false;
    }
  }

  /** Makes a call until it is answered. */
  async #persist<Result>(
    label: string,
    work: (again: boolean) => Promise<Result>,
  ): Promise<Result> {
    const { machine, connection } = this.#parts;
    for (let again = false; ; again = true) {
      try {
        return await work(again);
      } catch (error) {
        const passing =
          error instanceof LostError || (error instanceof MillraceError && PASSING.has(error.code));
        if (again && error instanceof MillraceError && error.code === "ResourceNotFoundException") {
          return undefined as Result;
        }
        if (!passing) throw error;
      }
      const options = { delayMs: RETRY_MS };
      await machine.scheduler.pause(connection.page, `${label} again`, options);
    }
  }
}
