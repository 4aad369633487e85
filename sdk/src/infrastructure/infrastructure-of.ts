/** Infrastructure code of an engine in either format, for pages and for the command. */
import type { EngineClient } from "@millrace/engine";
import { writeCloudFormation } from "./cloudformation.ts";
import type { InfrastructureCode } from "./deployment.ts";
import { planDeployment } from "./plan-deployment.ts";
import { writeTerraform } from "./terraform.ts";

/** The tool whose language is written. */
export type InfrastructureFormat = "cloudformation" | "terraform";

/** What an engine holds as code. @throws ResourceNotFoundError when it has no stream. */
export async function infrastructureOf(
  client: Pick<EngineClient, "call">,
  format: InfrastructureFormat,
): Promise<InfrastructureCode> {
  const deployment = await planDeployment(client);
  return format === "cloudformation" ? writeCloudFormation(deployment) : writeTerraform(deployment);
}
