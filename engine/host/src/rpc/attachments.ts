/**
 * The worker's half of attachments: more ports of its own page's, over which other threads of that page ask
 * the engine. Nobody else can attach, because the operations come over the page's own control port only.
 */
import { expose } from "comlink";
import { hexOfBytes } from "../model/hex.ts";
import { portOf } from "../platform/browser-channels.ts";
import type { Port, Random } from "../platform/platform.ts";
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

/** Makes the control function of an engine; see `ControlFunction`. */
export type ControlServer = (engine: EngineService) => ControlFunction;

/** The attachments of one engine worker. */
export class Attachments {
  readonly #engine: EngineService;
  readonly #serve: ControlServer;
  readonly #random: Random;
  readonly #open = new Map<string, Attachment>();

  constructor(engine: EngineService, random: Random, serve: ControlServer) {
    this.#engine = engine;
    this.#random = random;
    this.#serve = serve;
  }

  /** See {@link AttachOperations}. */
  readonly operations: {
    readonly [Operation in keyof AttachOperations]: (
      argument: Parameters<AttachOperations[Operation]>[0],
    ) => ReturnType<AttachOperations[Operation]> | Promise<ReturnType<AttachOperations[Operation]>>;
  } = {
    attach: (ports) => {
      // Random, because the page may ask the next worker about it.
      const id = hexOfBytes(this.#random.fill(new Uint8Array(16)));
      const attachment = new Attachment(this.#engine, this.#serve, ports);
      this.#open.set(id, attachment);
      void attachment.ended.then(() => this.#open.delete(id));
      return { id };
    },
    attachmentEnd: async ({ id }) => {
      await this.#open.get(id)?.ended;
      return null;
    },
    detach: ({ id }) => {
      this.#open.get(id)?.end();
      return null;
    },
  };

  /** Ends all of them. */
  stop(): void {
    for (const attachment of this.#open.values()) attachment.end();
  }
}

/** One pair of ports. */
class Attachment {
  /** Resolves when it is over. */
  readonly ended: Promise<void>;
  readonly #engine: AttachedEngine;
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
    this.#engine = new AttachedEngine(engine);
    this.#control = control;
    this.#port = portOf(data);
    this.#data = new DataServer(this.#engine, this.#port, true);
    expose(serve(this.#engine), control);
    this.#port.listen((message) => this.#data.take(message as DataRequest));
  }

  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#data.stop();
    this.#engine.leaveGroups();
    this.#control.close();
    this.#port.close();
    this.#end();
  }
}

/** The engine over an attachment. */
class AttachedEngine implements EngineService {
  readonly #engine: EngineService;
  /** Groups that were joined, by the session's id. */
  readonly #sessions = new Map<string, string>();
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
    this.leaveGroups();
  }

  /** A thread that is ended cannot say so: its leases go to others at once all the same. */
  leaveGroups(): void {
    this.#over = true;
    for (const [sessionId, groupName] of this.#sessions) this.#leave(groupName, sessionId);
    this.#sessions.clear();
  }

  #note(operation: keyof ControlOperations, argument: object, answer: unknown): void {
    if (operation !== "groupJoin" && operation !== "groupLeave") return;
    const { groupName, sessionId } = { ...argument, ...Object(answer) } as Readonly<
      Record<"groupName" | "sessionId", string>
    >;
    if (operation === "groupLeave") this.#sessions.delete(sessionId);
    else if (this.#over) this.#leave(groupName, sessionId);
    else this.#sessions.set(sessionId, groupName);
  }

  #leave(groupName: string, sessionId: string): void {
    // One that cannot be ended now ends by itself, when nothing is heard of it.
    this.#engine.call("groupLeave", { groupName, sessionId }).catch(() => undefined);
  }
}
