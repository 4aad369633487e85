/**
 * The configuration by which an official AWS client talks to an engine in the same page or process. Small
 * on purpose: the face behind it is loaded at the first call.
 */
import type { EngineClient } from "@millrace/engine";
import { DirectProtocol } from "./direct-protocol.ts";

/** How a client is to talk to the engine. */
export interface AwsOptions {
  /**
   * "direct" hands inputs over as they are; "json" is AWS JSON 1.1 as over a network. "direct" when
   * absent; a client that does not know the setting speaks JSON by itself.
   */
  readonly protocol?: "direct" | "json";
  /** ARN that the calls are made as, for resource policies and the trail; the application's own when absent. */
  readonly principal?: string;
}

/** What loads the face: a dynamic import, or a promise that is settled. */
export type LoadHandler = () => Promise<typeof import("./request-handler.ts")>;

const NO_AUTH = "smithy.api#noAuth";

class EngineRequestHandler {
  /** What middleware asks about; there is no network. */
  readonly metadata = { handlerProtocol: "http/1.1" };
  readonly #client: EngineClient;
  readonly #load: LoadHandler;
  readonly #principal: string | undefined;

  constructor(client: EngineClient, load: LoadHandler, principal: string | undefined) {
    this.#client = client;
    this.#load = load;
    this.#principal = principal;
  }

  /** Answers a request of the client's protocol. The response is for that protocol only. */
  async handle(
    request: unknown,
    { abortSignal }: { readonly abortSignal?: unknown } = {},
  ): Promise<{ response: never }> {
    const { answerClient } = await this.#load();
    const signal = abortSignal instanceof AbortSignal ? abortSignal : undefined;
    const response = await answerClient(this.#client, request, this.#principal, signal);
    return { response: response as never };
  }

  /** The engine has no connections to set up. */
  updateHttpClientConfig(): void {}

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  /** The engine stays open: it is the application's. */
  destroy(): void {}
}

/** Makes the configuration. `load` is called at every request. */
export function clientConfig(client: EngineClient, load: LoadHandler, options: AwsOptions = {}) {
  const { protocol = "direct", principal } = options;
  return {
    region: "us-east-1",
    endpoint: "https://millrace.invalid",
    // Clients want them; nothing is signed.
    credentials: { accessKeyId: "millrace", secretAccessKey: "millrace" },
    httpAuthSchemeProvider: () => [{ schemeId: NO_AUTH }],
    httpAuthSchemes: [
      {
        schemeId: NO_AUTH,
        identityProvider: () => async () => ({}),
        signer: { sign: async <Request>(request: Request): Promise<Request> => request },
      },
    ],
    requestHandler: new EngineRequestHandler(client, load, principal),
    ...(protocol === "direct" ? { protocol: DirectProtocol } : {}),
  };
}

/** For `new KinesisClient(config)`. */
export type AwsClientConfig = ReturnType<typeof clientConfig>;
