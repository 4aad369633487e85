/**
 * The direct protocol: an AWS client's input goes to the engine as it is, without JSON, base64 and
 * signature. It is a client protocol of @smithy/core, which AWS's clients take as `config.protocol`;
 * clients that do not know the setting use their own, and the request handler understands that, too.
 */

/** What takes the place of an HTTP request. The client's middleware for HTTP lets it pass. */
export interface DirectCall {
  readonly millrace: "call";
  /** Undefined when the client does not name its operations, which the handler refuses. */
  readonly operation: string | undefined;
  readonly input: unknown;
}

/** What takes the place of an HTTP response. */
interface DirectAnswerReader {
  /** The output with its metadata. @throws the client's own exception. */
  read(errorTypes: unknown): unknown;
}

/** Whether a handler was given a call of this protocol. */
export function isDirectCall(request: unknown): request is DirectCall {
  return typeof request === "object" && request !== null && "millrace" in request;
}

function errorTypesOf(settings: unknown): unknown {
  const known =
    typeof settings === "object" && settings !== null && "errorTypeRegistries" in settings;
  return known ? settings.errorTypeRegistries : undefined;
}

/** Made by the client with its own protocol settings. */
export class DirectProtocol {
  readonly #errorTypes: unknown;

  constructor(settings?: unknown) {
    this.#errorTypes = errorTypesOf(settings);
  }

  /** Name of the protocol. */
  getShapeId(): string {
    return "millrace#direct";
  }

  /** Class of requests; they are plain objects, which the client's middleware for HTTP lets pass. */
  getRequestType(): new () => never {
    return Object as never;
  }

  /** Class of responses; they are plain objects, too. */
  getResponseType(): new () => never {
    return Object as never;
  }

  /** Nothing is encoded. */
  getPayloadCodec(): never {
    return null as never;
  }

  /** Nothing is needed of the client. */
  setSerdeContext(): void {}

  /** A call. The client's name for it stands in the schema; a client without schemas has it in the context. */
  async serializeRequest(
    schema: { readonly name?: string } | undefined,
    input: unknown,
    context?: { readonly commandName?: string },
  ): Promise<never> {
    const operation = schema?.name ?? context?.commandName?.replace(/Command$/, "");
    const call: DirectCall = { millrace: "call", operation, input };
    return call as never;
  }

  /** There is no endpoint. */
  updateServiceEndpoint(request: unknown): never {
    return request as never;
  }

  /** The output. @throws the client's own exceptions. */
  async deserializeResponse(
    _schema: unknown,
    _context: unknown,
    response: unknown,
  ): Promise<never> {
    return (response as DirectAnswerReader).read(this.#errorTypes) as never;
  }
}
