/**
 * The worker's half of attachments: more ports of its own page's, over which other threads of that page ask
 * the engine. Nobody else can attach, because the operations come over the page's own control port only.
 */
import { expose } from "comlink";
import { DeadlineError, EngineClosedError } from "../errors/index.ts";
import { portOf } from "../platform/browser-channels.ts";
import { withDeadline } from "../platform/deadline.ts";
import type { Clock, Port } from "../platform/platform.ts";
import type { AttachOperations } from "../service/attach-operations.ts";
import type {
  BatchOrder,
  CallContext,
  ControlOperations,
  EngineService,
  EpochAnswer,
  EpochCommit,
  ReadRequest,
} from "../service/engine-service.ts";
import { DataServer } from "./data-server.ts";
import type { ControlFunction, DataRequest } from "./messages.ts";

/** How long the closing of an engine waits for the leases of attached workers, in ms. */
const LEAVE_MS_MAX = 500;

/** Makes the control function of an engine; see `ControlFunction`. */
export type ControlServer = (engine: EngineService) => ControlFunction;

/** The attachments of one engine worker. */
export class Attachments {
  readonly #clock: Clock;
  readonly #engine: EngineService;
  readonly #serve: ControlServer;
  readonly #open = new Map<string, Attachment>();
  #stopped = false;

  constructor(clock: Clock, engine: EngineService, serve: ControlServer) {
    this.#clock = clock;
    this.#engine = engine;
    this.#serve = serve;
  }

  /** See {@link AttachOperations}. */
  readonly operations: {
    readonly [Operation in keyof AttachOperations]: (
      argument: Parameters<AttachOperations[Operation]>[0],
    ) => ReturnType<AttachOperations[Operation]> | Promise<ReturnType<AttachOperations[Operation]>>;
  } = {
    attach: ({ id, ...ports }) => {
      if (this.#stopped) throw new EngineClosedError("the engine is being closed");
      const attachment = new Attachment(this.#engine, this.#serve, ports);
      this.#open.set(id, attachment);
      void attachment.ended.then(() => this.#open.delete(id));
      return null;
    },
    attachmentEnd: async ({ id }) => {
      await this.#open.get(id)?.ended;
      return null;
    },
    detach: ({ id }) => {
      void this.#open.get(id)?.end();
      return null;
    },
  };

  /** Ends all of them; resolves once the leases of their workers are given up, or there is no time left for that. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const left = Promise.all([...this.#open.values()].map((attachment) => attachment.end()));
    const late = (): Error => new DeadlineError("leases were not given up in time");
    await withDeadline(this.#clock, LEAVE_MS_MAX, left, late).catch(() => undefined);
  }
}

/** One pair of ports. */
class Attachment {
  /** Resolves when it is over. */
  readonly ended: Promise<void>;
  readonly #engine: AttachmentEngine;
  readonly #control: MessagePort;
  readonly #port: Port;
  readonly #data: DataServer;
  #end: () => void = () => undefined;
  #over = false;

  constructor(
    engine: EngineService,
    serve: ControlServer,
    { control, data }: { readonly control: MessagePort; readonly data: MessagePort },
  ) {
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#engine = new AttachmentEngine(engine);
    this.#control = control;
    this.#port = portOf(data);
    this.#data = new DataServer(this.#engine, this.#port, true);
    expose(serve(this.#engine), control);
    this.#port.listen((message) => this.#data.take(message as DataRequest));
  }

  async end(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#data.stop();
    const left = this.#engine.leaveGroups();
    this.#control.close();
    this.#port.close();
    this.#end();
    await left;
  }
}

/** A worker's session in a group. */
interface Session {
  readonly groupName: string;
  readonly sessionId: string;
  readonly workerId: string;
}

/** The engine over an attachment. */
class AttachmentEngine implements EngineService {
  readonly #engine: EngineService;
  /** Sessions in groups, by group and worker: one that joins again has no other. */
  readonly #sessions = new Map<string, Session>();
  #over = false;

  constructor(engine: EngineService) {
    this.#engine = engine;
  }

  async call<Operation extends keyof ControlOperations>(
    operation: Operation,
    argument: Parameters<ControlOperations[Operation]>[0],
    again?: boolean,
  ): Promise<ReturnType<ControlOperations[Operation]>> {
    const answer = await this.#engine.call(operation, argument, again);
    this.#note(operation, argument, answer);
    return answer;
  }

  put(batch: ArrayBuffer, call?: CallContext, order?: BatchOrder): Promise<ArrayBuffer> {
    return this.#engine.put(batch, call, order);
  }

  commitEpoch(commit: EpochCommit, outputs: readonly ArrayBuffer[]): Promise<EpochAnswer> {
    return this.#engine.commitEpoch(commit, outputs);
  }

  read(request: ReadRequest, signal: AbortSignal): Promise<ArrayBuffer> {
    return this.#engine.read(request, signal);
  }

  /** The page's engine stays open, and its page ends the attachment. */
  async close(): Promise<void> {
    await this.leaveGroups();
  }

  /** A thread that is ended cannot say so: its leases go to others at once all the same. */
  async leaveGroups(): Promise<void> {
    this.#over = true;
    const left = [...this.#sessions.values()].map((session) => this.#leave(session));
    this.#sessions.clear();
    await Promise.all(left);
  }

  #note(operation: keyof ControlOperations, argument: object, answer: unknown): void {
    if (operation !== "groupJoin" && operation !== "groupLeave") return;
    const { groupName, workerId, sessionId } = { ...argument, ...Object(answer) } as Session;
    if (operation === "groupLeave") {
      for (const [key, session] of this.#sessions) {
        if (session.sessionId === sessionId) this.#sessions.delete(key);
      }
    } else if (this.#over) void this.#leave({ groupName, sessionId, workerId });
    else this.#sessions.set(`${groupName}/${workerId}`, { groupName, sessionId, workerId });
  }

  async #leave(session: Session): Promise<void> {
    // One that cannot be ended now ends by itself, when nothing is heard of it.
    await this.#engine.call("groupLeave", session).catch(() => undefined);
  }
}
