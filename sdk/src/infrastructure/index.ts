/** millrace/infrastructure: an engine's streams as infrastructure code, for the way to AWS. */
import { checkMembers, checkOneOf } from "../check.ts";
import { clientOf } from "../client-of.ts";
import type { Millrace } from "../millrace.ts";
import { type InfrastructureFormat, infrastructureOf } from "./infrastructure-of.ts";

export type { InfrastructureFormat } from "./infrastructure-of.ts";

/** How infrastructure code is written. */
export interface InfrastructureOptions {
  /** "cloudformation": a template in JSON; "terraform": a configuration for hashicorp/aws. */
  readonly format: InfrastructureFormat;
}

/**
 * The streams of an open engine, with their consumers, tags, metrics, keys and policies, as infrastructure
 * code. What has no counterpart at AWS is told in it: in Metadata, or in comments.
 *
 * @throws InvalidArgumentError; ResourceNotFoundError when the engine has no stream.
 */
export async function exportInfrastructure(
  millrace: Millrace,
  options: InfrastructureOptions,
): Promise<string> {
  checkMembers("options", options, ["format"]);
  const format = checkOneOf("options.format", options.format, ["cloudformation", "terraform"]);
  return (await infrastructureOf(clientOf(millrace), format)).text;
}
