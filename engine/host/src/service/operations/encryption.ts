/**
 * StartStreamEncryption and StopStreamEncryption: everything that AWS checks before it encrypts. The
 * cipher itself is not built, so that a call that passes them all is answered with NotSupportedError.
 */
import { InvalidArgumentError, NotSupportedError } from "../../errors/index.ts";
import type { InputOf } from "../../model/shapes.ts";
import { type LocatingCall, locateActiveStream } from "./located-stream.ts";
import type { Operation, OperationContext } from "./operation.ts";

const UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
/** Multi-Region keys have ids of their own form. */
const KEY = `(${UUID}|mrk-[0-9a-f]{32})`;
const ALIAS = "alias/[a-zA-Z0-9/_-]{1,250}";
const KEY_ID = new RegExp(
  `^(${KEY}|${ALIAS}|arn:aws[-a-z]*:kms:[-a-z0-9]+:\\d{12}:(key/${KEY}|${ALIAS}))$`,
);

/** @throws InvalidArgumentError for a key that no KMS knows the form of, or another type than KMS. */
function checkKey(input: InputOf<"StartStreamEncryption">): void {
  const { EncryptionType, KeyId } = input;
  if (EncryptionType !== "KMS") {
    throw new InvalidArgumentError(
      `EncryptionType ${EncryptionType} is not supported. The only valid value is KMS.`,
      { argument: "EncryptionType", value: EncryptionType, limit: "KMS" },
    );
  }
  if (KEY_ID.test(KeyId)) return;
  throw new InvalidArgumentError(
    `KeyId ${KeyId} is neither the id nor the ARN of a key, nor the name or ARN of an alias.`,
    { argument: "KeyId", value: KeyId },
  );
}

function refuse(
  context: OperationContext,
  input: InputOf<"StartStreamEncryption">,
  call: LocatingCall,
): never {
  const stream = locateActiveStream(context, input, call);
  checkKey(input);
  throw new NotSupportedError(
    `${call.operation} of stream ${stream.name} cannot be done: this build has no cipher for records ` +
      "at rest yet.",
    { argument: "operation", value: call.operation },
  );
}

/** StartStreamEncryption. @throws NotSupportedError after all other checks. */
export const startStreamEncryption: Operation<"StartStreamEncryption"> = (context, input, caller) =>
  refuse(context, input, { operation: "StartStreamEncryption", caller });

/** StopStreamEncryption. @throws NotSupportedError after all other checks. */
export const stopStreamEncryption: Operation<"StopStreamEncryption"> = (context, input, caller) =>
  refuse(context, input, { operation: "StopStreamEncryption", caller });
