/** The control operations of an engine, over whichever life is the current one. */
import { ROOT_PRINCIPAL } from "../access/principals.ts";
import { InvalidArgumentError } from "../errors/index.ts";
import type { StreamDefinition } from "../log/control-records.ts";
import { isOperationName, type OperationName } from "../model/shapes.ts";
import { validateInput } from "../model/validate.ts";
import type { Clock } from "../platform/platform.ts";
import { VirtualClock } from "../platform/virtual-clock.ts";
import { passTime } from "../platform/virtual-time.ts";
import { parseArn } from "../streams/arns.ts";
import { findConsumer } from "../streams/consumers.ts";
import { resolvePosition } from "../streams/positions.ts";
import type { OpenedSubscription } from "../streams/subscriptions.ts";
import { isControlOperation, unknownOperation } from "./api-dispatch.ts";
import { archiveHandlers } from "./archive-controls.ts";
import type { AttachOperations } from "./attach-operations.ts";
import { type CallFacts, type Facts, factsOfInput } from "./call-facts.ts";
import type { CallGate } from "./call-gate.ts";
import { type CallTrail, TRAIL_KEY } from "./call-trail.ts";
import { type EngineLife, TIME_KEY } from "./engine-life.ts";
import type {
  ApiCall,
  Caller,
  ControlOperations,
  EngineOptions,
  StreamDescription,
  StreamKeeping,
  StreamSpec,
} from "./engine-service.ts";
import { groupHandlers } from "./group-controls.ts";
import { holdHandlers } from "./hold-controls.ts";
import { inventoryOf } from "./inventory.ts";
import { jobHandlers } from "./job-controls.ts";
import { keyHandlers } from "./key-controls.ts";
import type { LastingParts } from "./lasting-parts.ts";
import { leaseTableHandlers } from "./lease-table-controls.ts";
import { aloneStatus, resetEverything, shardMetrics, storageReport } from "./life-reports.ts";
import type { Lives } from "./lives.ts";
import type { Before } from "./operation-repeat.ts";
import { streamResource } from "./operations/resources.ts";
import { checkDeletable } from "./operations/streams.ts";
import { streamMetrics } from "./stream-metrics.ts";
import { checkName, checkStreamSpec, checkTimeSpan } from "./validate.ts";

/** Handlers of the control operations, each with its argument and answer; `again` as in `EngineService.call`. */
type Handlers = {
  readonly [Operation in keyof ControlOperations]: (
    argument: Parameters<ControlOperations[Operation]>[0],
    again: boolean,
  ) => ReturnType<ControlOperations[Operation]> | Promise<ReturnType<ControlOperations[Operation]>>;
};

/** The application itself, which makes the calls that are not AWS's. */
const APPLICATION: Caller = { principal: ROOT_PRINCIPAL };

/** What control operations work with. */
export interface ControlParts {
  readonly options: EngineOptions;
  readonly clock: Clock;
  readonly lives: Lives;
  readonly gate: CallGate;
  readonly trail: CallTrail;
  readonly lasting: LastingParts;
}

/** Control operations of one engine. */
export class EngineControls {
  readonly #parts: ControlParts;
  readonly #handlers: Handlers;
  /** Time passes for one caller after the other. */
  #lastPassage: Promise<unknown> = Promise.resolve();

  constructor(parts: ControlParts) {
    this.#parts = parts;
    this.#handlers = this.#makeHandlers();
  }

  /** Runs one control operation; see `EngineService.call`. @throws MillraceError. */
  async call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
    again = false,
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    const handler: Handlers[Operation] | undefined = Object.hasOwn(this.#handlers, operation)
      ? this.#handlers[operation]
      : undefined;
    if (handler === undefined) throw unknownOperation(operation);
    return await handler(argument, again);
  }

  #makeHandlers(): Handlers {
    return {
      ...this.#apiHandlers(),
      ...this.#streamHandlers(),
      ...this.#engineHandlers(),
      ...groupHandlers(this.#parts.lives),
      ...jobHandlers(this.#parts.lives),
      ...leaseTableHandlers(this.#parts.lives),
      ...holdHandlers(this.#parts.lives),
      ...keyHandlers(this.#parts.lives),
      ...archiveHandlers(this.#parts.lives, this.#parts.clock),
      ...attachHandlers(),
    };
  }

  #apiHandlers() {
    const { lives, lasting } = this.#parts;
    return {
      invoke: (call: ApiCall, again: boolean) => this.#invoke(call, again),
      dryRun: (call: ApiCall) => this.#dryRun(call),
      locateStream: (call: ApiCall) =>
        lives.attempt(async ({ api, context }) =>
          context.catalogue.describe(api.locateStream(call)),
        ),
      openSubscription: (call: ApiCall<"SubscribeToShard">, again: boolean) =>
        this.#openSubscription(call, again),
      closeSubscription: ({ id }: { id: number }) => {
        lasting.subscriptions.close(id);
        return null;
      },
      childShards: ({ streamUid, shardIndex }: { streamUid: number; shardIndex: number }) =>
        lives.attempt(async ({ api }) => api.childShards(streamUid, shardIndex)),
    } satisfies Partial<Handlers>;
  }

  #streamHandlers() {
    const { lives, lasting } = this.#parts;
    return {
      createStream: (spec: StreamSpec, again: boolean) => this.#createStream(spec, again),
      describeStream: ({ name }: { name: string }) =>
        this.#asApplication("DescribeStreamSummary", { StreamName: name }, async (life) => {
          checkName("name", name);
          const { catalogue } = life.context;
          const stream = catalogue.get(name);
          this.#checkOwnAccess(life, "DescribeStreamSummary", stream);
          return catalogue.describe(stream);
        }),
      listStreams: () =>
        this.#asApplication("ListStreams", {}, async ({ context: { catalogue } }) =>
          catalogue.list().map((stream) => catalogue.describe(stream)),
        ),
      configureStream: ({ name, ...settings }: { name: string } & StreamKeeping) =>
        lives.attempt(async ({ context: { catalogue } }) => {
          checkName("name", name);
          return catalogue.describe(await catalogue.configure(name, settings));
        }),
      deleteStream: ({ name }: { name: string }, again: boolean) => this.#deleteStream(name, again),
      resolvePosition: (argument: Parameters<ControlOperations["resolvePosition"]>[0]) =>
        lives.attempt(async ({ log, context: { catalogue, keys } }) => {
          const { name, position, shardId } = argument;
          const stream = catalogue.get(name);
          // Nothing that is left to read would look like nothing that was ever there.
          keys.check(stream, ROOT_PRINCIPAL, "Decrypt");
          return await resolvePosition(log, stream, position, shardId);
        }),
      shardMetrics: ({ name }: { name: string }) =>
        lives.attempt(async (life) => shardMetrics(life, lasting.counters, name)),
      streamMetrics: (argument: Parameters<ControlOperations["streamMetrics"]>[0]) =>
        lives.attempt(async (life) => streamMetrics(life.context, argument)),
    } satisfies Partial<Handlers>;
  }

  #engineHandlers() {
    const { lives, clock, options, trail, lasting } = this.#parts;
    return {
      setFaults: ({ rules }: Parameters<ControlOperations["setFaults"]>[0]) => {
        lasting.faults.set(rules);
        return null;
      },
      faults: () => lasting.faults.rules(),
      setTrail: ({ streamName }: { streamName: string | null }) => this.#setTrail(streamName),
      now: () => clock.nowMs(),
      advanceTime: ({ byMs }: { byMs: number }, again: boolean) => this.#advanceTime(byMs, again),
      reset: () => this.#reset(),
      storageReport: () => lives.attempt((life) => storageReport(life, options.storage, trail)),
      inventory: () => lives.attempt(async (life) => inventoryOf(life.context)),
      dataLoss: () => lives.attempt(async (life) => [...life.log.losses]),
      memberStatus: () => lives.attempt(async (life) => aloneStatus(life)),
      events: async ({ after, waitMs }: Parameters<ControlOperations["events"]>[0]) => {
        await lives.current();
        return await lasting.events.after(after, waitMs);
      },
    } satisfies Partial<Handlers>;
  }

  async #invoke({ operation, input, caller }: ApiCall, again: boolean): Promise<unknown> {
    const { gate } = this.#parts;
    if (!isOperationName(operation)) throw unknownOperation(String(operation));
    if (!isControlOperation(operation)) {
      throw new InvalidArgumentError(`the records of ${operation} travel by put and read`, {
        argument: "operation",
        value: operation,
      });
    }
    let before: Before | undefined;
    return await gate.run(factsOfInput(operation, caller, membersOf(input)), {
      check: () => validateInput(operation, input),
      make: () =>
        this.#parts.lives.attempt(async ({ api }, inNextLife): Promise<unknown> => {
          const checked = validateInput(operation, input);
          if (again) return await api.runUnderNextLeader(operation, checked, caller);
          if (inNextLife && before !== undefined) {
            return await api.runAgain(operation, checked, caller, before);
          }
          before = api.lookBefore(operation, checked);
          return await api.run(operation, checked, caller);
        }),
    });
  }

  /** A dry run is a call like any other: it can be refused on purpose, and it is in the trail. */
  async #dryRun({ operation, input, caller }: ApiCall): Promise<never> {
    const { gate, lives } = this.#parts;
    if (!isOperationName(operation)) throw unknownOperation(String(operation));
    return await gate.run(factsOfInput(operation, caller, membersOf(input)), {
      make: () => lives.attempt(({ api }) => api.dryRun({ operation, input, caller })),
    });
  }

  async #openSubscription(
    { operation, input, caller }: ApiCall<"SubscribeToShard">,
    again: boolean,
  ): Promise<OpenedSubscription> {
    const { gate, lives, lasting } = this.#parts;
    const { subscriptions, metrics } = lasting;
    const facts = factsOfInput(operation, caller, membersOf(input));
    const request = (): Parameters<typeof subscriptions.open>[0] => ({
      ...validateInput(operation, input),
      caller,
    });
    try {
      const opened = await gate.run(facts, {
        check: request,
        make: () => lives.attempt(() => subscriptions.open(request(), again)),
      });
      const name = consumerNameOf(facts);
      const outcome = { succeeded: true, rateExceeded: false };
      if (name !== undefined) metrics.recordSubscription(opened.streamUid, name, outcome);
      return opened;
    } catch (error) {
      await this.#countRefused(facts, error);
      throw error;
    }
  }

  /** Counts a subscription that was refused, when there is a consumer that it can count for. */
  async #countRefused(facts: CallFacts, error: unknown): Promise<void> {
    const name = consumerNameOf(facts);
    const { clock, lives, lasting } = this.#parts;
    const life = await lives.current().catch(() => undefined);
    const stream = life?.context.catalogue.find(facts.streamName ?? "");
    if (name === undefined || life === undefined || stream === undefined) return;
    // Names that callers make up would each have metrics of their own.
    const consumer = findConsumer(life.context.documents, stream, name, clock.nowMs());
    if (consumer === undefined) return;
    const rateExceeded = isEarly(error);
    lasting.metrics.recordSubscription(stream.uid, name, { succeeded: false, rateExceeded });
  }

  /** Makes a call of the typed operations, which counts as a call of the application's own. */
  #asApplication<Answer>(
    operation: OperationName,
    input: Facts,
    call: (life: EngineLife, again: boolean) => Promise<Answer>,
  ): Promise<Answer> {
    const { gate, lives } = this.#parts;
    return gate.run(factsOfInput(operation, APPLICATION, input), {
      make: () => lives.attempt(call),
    });
  }

  #createStream(spec: StreamSpec, again: boolean): Promise<StreamDescription> {
    const { name: StreamName, shards: ShardCount } = spec;
    let existed: boolean | undefined = again ? false : undefined;
    return this.#asApplication("CreateStream", { StreamName, ShardCount }, async (life, anew) => {
      checkStreamSpec(spec);
      const { catalogue } = life.context;
      const found = catalogue.find(spec.name);
      // Over the end of a life or of a leader, a stream that came to be meanwhile is the call's own work.
      const own = (again || anew) && existed === false;
      if (own && found !== undefined) return catalogue.describe(found);
      existed ??= found !== undefined;
      return catalogue.describe(await catalogue.create(spec));
    });
  }

  #deleteStream(name: string, again: boolean): Promise<null> {
    let existed: boolean | undefined = again ? true : undefined;
    return this.#asApplication("DeleteStream", { StreamName: name }, async (life, anew) => {
      checkName("name", name);
      const { catalogue } = life.context;
      const found = catalogue.find(name);
      if ((again || anew) && existed === true && found === undefined) return null;
      existed ??= found !== undefined;
      await catalogue.delete(name, (stream) => {
        this.#checkOwnAccess(life, "DeleteStream", stream);
        // Consumers go with their stream; channels are resources of their own.
        checkDeletable(life.context, stream, true);
      });
      return null;
    });
  }

  #checkOwnAccess(
    { context }: EngineLife,
    operation: OperationName,
    stream: StreamDefinition,
  ): void {
    context.access.check(ROOT_PRINCIPAL, operation, streamResource(stream));
  }

  async #setTrail(streamName: string | null): Promise<null> {
    const { lives, trail } = this.#parts;
    await lives.attempt(async ({ log, context: { catalogue, documents } }) => {
      await catalogue.exclusively(async () => {
        await log.change([
          streamName === null
            ? documents.deleting(TRAIL_KEY)
            : documents.putting(TRAIL_KEY, catalogue.get(streamName).name),
        ]);
        trail.direct(streamName ?? undefined);
      });
    });
    return null;
  }

  /** Lets time pass, then waits until everything that became due and was decided is durable. */
  async #advanceTime(byMs: number, again: boolean): Promise<number> {
    const { clock, lives, options } = this.#parts;
    if (options.time !== "virtual" || !(clock instanceof VirtualClock)) {
      throw new InvalidArgumentError(
        'time passes by itself; open the engine with time: "virtual"',
        {
          argument: "time",
          value: options.time ?? "system",
          limit: "virtual",
        },
      );
    }
    checkTimeSpan("byMs", byMs);
    if (again) return clock.nowMs();
    const passage = this.#lastPassage.then(async () => {
      await passTime(clock, byMs);
      await lives.attempt(async ({ context: { catalogue, documents } }) => {
        await catalogue.change(() => [documents.putting(TIME_KEY, clock.nowMs())]);
      });
      return clock.nowMs();
    });
    this.#lastPassage = passage.catch(() => undefined);
    return await passage;
  }

  async #reset(): Promise<null> {
    const { lives, trail, lasting } = this.#parts;
    lasting.faults.set([]);
    lasting.subscriptions.clear();
    await lives.attempt((life) => resetEverything(life, [TIME_KEY], () => trail.clear()));
    lasting.metrics.clear();
    lasting.counters.clear();
    return null;
  }
}

/** What the worker around the engine answers, for its own page only. */
function attachHandlers() {
  const refuse = (operation: keyof AttachOperations) => (): never => {
    throw unknownOperation(operation);
  };
  return {
    attach: refuse("attach"),
    attachmentEnd: refuse("attachmentEnd"),
    detach: refuse("detach"),
  } satisfies Partial<Handlers>;
}

/** Members of an input that may be anything. */
function membersOf(input: unknown): Facts {
  return typeof input === "object" && input !== null ? (input as Facts) : {};
}

function consumerNameOf({ resources }: CallFacts): string | undefined {
  const [arn] = resources;
  const resource = arn === undefined ? undefined : parseArn(arn);
  return resource?.kind === "consumer" ? resource.consumerName : undefined;
}

/** Whether a subscription was refused because it came too soon after the one before. */
function isEarly(error: unknown): boolean {
  return error instanceof Error && "retryAfterMs" in error && error.retryAfterMs !== undefined;
}
