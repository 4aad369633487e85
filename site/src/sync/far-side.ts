/**
 * The far side of the Sync place: an engine of its own behind AWS's protocol, reached by AWS's own client. Between
 * them stands a network that can be taken away. All of it is in this page, whose policy lets it reach nothing else.
 */
import { type Millrace, type NetworkWatch, open, type Stream } from "millrace";
import { awsFetch, type FetchHandler } from "millrace/aws";
import { kinesis, type RemoteMillrace, type RemoteStream } from "millrace/remote";

/** Name of the far engine. */
export const FAR_ENGINE = "millrace-far";

/** The stream that is shipped into. */
export const FAR_STREAM = "sync-in";

/** Where AWS's client believes the far side to be; nothing is ever asked of that name. */
const ENDPOINT = "https://kinesis.far.invalid";
/** Of so many calls on a faulty way, one is lost, and one loses its answer. */
const FAULTY_EVERY = 3;

/** How the way to the far side is: there, gone, or so that some calls are lost, and some answers. */
export type WayState = "there" | "gone" | "faulty";

/** A request as AWS's client hands it to whatever sends it. */
interface ClientRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: BodyInit;
}

/** The way to the far side, which can be cut. */
export class Way implements NetworkWatch {
  readonly #listeners = new Set<() => void>();
  #state: WayState = "there";
  #calls = 0;

  /** How it is. */
  get state(): WayState {
    return this.#state;
  }

  /** Whether a call may come through, also by the browser's own word. */
  online(): boolean {
    return this.#state !== "gone" && navigator.onLine;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    addEventListener("online", listener);
    addEventListener("offline", listener);
    return () => {
      this.#listeners.delete(listener);
      removeEventListener("online", listener);
      removeEventListener("offline", listener);
    };
  }

  onLeave(listener: () => void): () => void {
    addEventListener("pagehide", listener);
    return () => removeEventListener("pagehide", listener);
  }

  /** Makes it another one. */
  become(state: WayState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }

  /** Carries a call over and its answer back. @throws TypeError, as `fetch` does, when one of them is lost. */
  async carry<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    this.#calls += 1;
    const turn = this.#calls % FAULTY_EVERY;
    this.#requireWay(turn === 1);
    const answer = await call();
    this.#requireWay(turn === 2);
    return answer;
  }

  #requireWay(faultyHere: boolean): void {
    const lost = this.#state === "faulty" && faultyHere;
    if (lost || !this.online()) throw new TypeError("Failed to fetch");
  }
}

/** What AWS's client sends by: the far engine's fetch handler, behind the way. */
function requestHandler(way: Way, answer: FetchHandler) {
  return {
    async handle({ method, path, headers, body }: ClientRequest) {
      const init = { method, headers, ...(body === undefined ? {} : { body }) };
      const request = new Request(`${ENDPOINT}${path}`, init);
      const response = await way.carry(() => answer(request));
      return {
        response: {
          statusCode: response.status,
          headers: Object.fromEntries(response.headers),
          body: new Uint8Array(await response.arrayBuffer()),
        },
      };
    },
  };
}

/** The far side, open. */
export interface FarSide {
  readonly way: Way;
  /** The far engine itself, for whoever stands there. */
  readonly engine: Millrace;
  /** The stream as it is seen there. */
  readonly there: Stream;
  /** The far side as it is reached from here. */
  readonly remote: RemoteMillrace;
  /** The stream as it is seen from here. */
  readonly stream: RemoteStream;
}

async function openFarSide(): Promise<FarSide> {
  const engine = await open({ name: FAR_ENGINE });
  try {
    const there = await engine.streams.ensure(FAR_STREAM, { shards: 2 });
    const way = new Way();
    const remote = await open({
      backend: kinesis({
        region: "us-east-1",
        endpoint: ENDPOINT,
        credentials: { accessKeyId: "far", secretAccessKey: "this engine asks for none" },
        requestHandler: requestHandler(way, awsFetch(engine)),
      }),
    });
    return { way, engine, there, remote, stream: await remote.streams.get(FAR_STREAM) };
  } catch (error) {
    await engine.close();
    throw error;
  }
}

let opening: Promise<FarSide> | undefined;

/** The far side, opened when it is first asked for and then as long as the page lives. */
export function farSide(): Promise<FarSide> {
  opening ??= openFarSide().catch((error: unknown) => {
    opening = undefined;
    throw error;
  });
  return opening;
}
