/**
 * Where an application's own client sends its calls: what progress over several services of one name and one ARN, as
 * `millrace serve` has them, is told apart by.
 */
import type { AwsService } from "./aws-service.ts";
import type { ServiceClientLike } from "./service-options.ts";

/** What AWS's clients keep of their configuration, of those members that are read here. */
interface ClientConfig {
  readonly region?: () => Promise<string>;
  /** Undefined when it is not given: it is then found for the region. */
  readonly endpoint?: () => Promise<EndpointParts>;
  readonly ignoreConfiguredEndpointUrls?: boolean;
  /** That of the environment or of a shared file. */
  readonly serviceConfiguredEndpoint?: () => Promise<EndpointParts | string | undefined>;
}

interface EndpointParts {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path?: string;
}

/** The endpoint as a URL, or the region; undefined when the client does not tell. */
export async function placeOfClient(
  service: AwsService,
  client: ServiceClientLike,
): Promise<string | undefined> {
  const { config } = client as { readonly config?: ClientConfig };
  if (typeof config !== "object" || config === null) return undefined;
  try {
    const endpoint = (await config.endpoint?.()) ?? (await configuredEndpoint(config));
    if (endpoint !== undefined) return urlOf(endpoint);
    const region = await config.region?.();
    return region === undefined ? undefined : `${service.name} in ${region}`;
  } catch {
    // Whoever calls with it hears what is wrong.
    return undefined;
  }
}

async function configuredEndpoint(
  config: ClientConfig,
): Promise<EndpointParts | string | undefined> {
  if (config.ignoreConfiguredEndpointUrls === true) return undefined;
  return await config.serviceConfiguredEndpoint?.();
}

/** Written as that of the option `endpoint` is. */
function urlOf(endpoint: EndpointParts | string): string {
  if (typeof endpoint === "string") return new URL(endpoint).href;
  const { protocol, hostname, port, path = "/" } = endpoint;
  return new URL(`${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`).href;
}
