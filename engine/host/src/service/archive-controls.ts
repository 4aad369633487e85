/** The control operations about a log as a whole: verify it, give it out as one file. */
import { NotSupportedError, ResourceNotFoundError } from "../errors/index.ts";
import type { LogExport } from "../log/log-export.ts";
import type { Clock } from "../platform/platform.ts";
import type { EngineLife } from "./engine-life.ts";
import type { ControlOperations } from "./engine-service.ts";
import type { Lives } from "./lives.ts";

/** An export that nobody reads from for this long is over, in ms: what it holds must not stay for ever. */
const IDLE_MS_MAX = 60_000;

/** Names of the control operations about the log as a whole. */
type ArchiveOperation =
  | "check"
  | "openExport"
  | "readExport"
  | "closeExport"
  | "writeImport"
  | "finishImport";

type ArchiveHandlers = {
  readonly [Operation in ArchiveOperation]: (
    argument: Parameters<ControlOperations[Operation]>[0],
  ) => ReturnType<ControlOperations[Operation]> | Promise<ReturnType<ControlOperations[Operation]>>;
};

/** An export under way. */
interface Session {
  readonly life: EngineLife;
  readonly export: LogExport;
  /** Number of the piece that was given out last, from 1, and the piece: it may be asked for again. */
  last: { readonly number: number; readonly piece: Promise<Uint8Array | undefined> };
  cancelTimer: () => void;
  /** Aborted when it is closed. */
  readonly closing: AbortController;
}

/** Exports under way, by a random id: another leader does not take one for its own. */
class Sessions {
  readonly #clock: Clock;
  readonly #sessions = new Map<number, Session>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async open(life: EngineLife): Promise<number> {
    const { log, context } = life;
    if (!life.store.recoverable) {
      throw new NotSupportedError("an engine in memory has no log that could be exported", {
        argument: "storage",
      });
    }
    const { buffer } = context.random.fill(new Uint8Array(8));
    const id = Number(new DataView(buffer).getBigUint64(0) >> 11n);
    const last = { number: 0, piece: Promise.resolve(undefined) };
    const closing = new AbortController();
    const parts = { last, cancelTimer: () => undefined, closing };
    const session = { life, export: await log.export(), ...parts };
    this.#sessions.set(id, session);
    this.#touch(id, session);
    // The engine outlives most of its exports.
    life.over.addEventListener("abort", () => this.close(id), { signal: closing.signal });
    if (life.over.aborted) this.close(id);
    return id;
  }

  /** A piece by its number: the next one, or the one that was given out last. */
  async read(life: EngineLife, id: number, number: number): Promise<Uint8Array | null> {
    const session = this.#sessions.get(id);
    const { last } = session ?? {};
    const known =
      session?.life === life && (number === last?.number || number - 1 === last?.number);
    if (session === undefined || !known) {
      this.close(id);
      throw new ResourceNotFoundError(
        "the export is over: it was closed, not read from for a minute, or another leader writes the " +
          "log now; begin it again",
        { argument: "id", value: id, retryable: true },
      );
    }
    this.#touch(id, session);
    if (number !== session.last.number) session.last = { number, piece: session.export.next() };
    const piece = await session.last.piece;
    // A copy: the one that is sent may be moved, and this one asked for again.
    return piece?.slice() ?? null;
  }

  close(id: number): void {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    session?.cancelTimer();
    session?.closing.abort();
    session?.export.close();
  }

  #touch(id: number, session: Session): void {
    session.cancelTimer();
    session.cancelTimer = this.#clock.after(IDLE_MS_MAX, () => this.close(id));
  }
}

/** Handlers of the control operations about the log as a whole. */
export function archiveHandlers(lives: Lives, clock: Clock): ArchiveHandlers {
  const sessions = new Sessions(clock);
  const importsOnly = (): never => {
    throw new NotSupportedError("this engine is open; an import goes into one that is not", {
      argument: "operation",
    });
  };
  return {
    check: () => lives.attempt(({ log }) => log.scrub()),
    openExport: () => lives.attempt(async (life) => ({ id: await sessions.open(life) })),
    readExport: ({ id, piece }) => lives.attempt((life) => sessions.read(life, id, piece)),
    closeExport: ({ id }) => {
      sessions.close(id);
      return null;
    },
    writeImport: importsOnly,
    finishImport: importsOnly,
  };
}
