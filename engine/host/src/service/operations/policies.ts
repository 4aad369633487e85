/** Resource policies: PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy. */
import { policyKey } from "../../access/access-control.ts";
import { parsePolicy } from "../../access/policy-document.ts";
import { ResourceNotFoundError } from "../../errors/index.ts";
import type { Operation, OperationContext, OperationTable } from "./operation.ts";
import { type NamedResource, namedResource, requireActiveResource } from "./resources.ts";

/** What GetResourcePolicy answers when there is no policy. */
const NO_POLICY = "{}";

const putResourcePolicy: Operation<"PutResourcePolicy"> = async (context, input, { principal }) => {
  const { catalogue, documents } = context;
  await catalogue.change(() => {
    const resource = namedResource(context, input);
    checkOwner(context, principal, "PutResourcePolicy", resource);
    requireActiveResource(context, resource);
    parsePolicy(input.Policy, resource.arn);
    return [documents.putting(policyKey(resource.key), input.Policy)];
  });
  return undefined;
};

const getResourcePolicy: Operation<"GetResourcePolicy"> = (context, input, { principal }) => {
  const resource = namedResource(context, input);
  checkOwner(context, principal, "GetResourcePolicy", resource);
  return { Policy: context.documents.get<string>(policyKey(resource.key)) ?? NO_POLICY };
};

const deleteResourcePolicy: Operation<"DeleteResourcePolicy"> = async (
  context,
  input,
  { principal },
) => {
  const { catalogue, documents } = context;
  await catalogue.change(() => {
    const resource = namedResource(context, input);
    checkOwner(context, principal, "DeleteResourcePolicy", resource);
    requireActiveResource(context, resource);
    const key = policyKey(resource.key);
    if (documents.get(key) !== undefined) return [documents.deleting(key)];
    throw new ResourceNotFoundError(
      `No resource policy found for resource ARN ${input.ResourceARN}`,
      { argument: "ResourceARN", value: input.ResourceARN },
    );
  });
  return undefined;
};

/** The operations of this family. */
export const policyOperations: Pick<
  OperationTable,
  "PutResourcePolicy" | "GetResourcePolicy" | "DeleteResourcePolicy"
> = {
  PutResourcePolicy: putResourcePolicy,
  GetResourcePolicy: getResourcePolicy,
  DeleteResourcePolicy: deleteResourcePolicy,
};

/** Policies are the account's business: no policy can let a stranger read or change one. */
function checkOwner(
  { access }: OperationContext,
  principal: string,
  operation: "PutResourcePolicy" | "GetResourcePolicy" | "DeleteResourcePolicy",
  resource: NamedResource,
): void {
  access.checkAccount(principal, operation);
  access.check(principal, operation, resource);
}
