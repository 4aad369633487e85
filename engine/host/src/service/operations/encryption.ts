/** Encryption at rest: StartStreamEncryption and StopStreamEncryption. */
import { InvalidArgumentError } from "../../errors/index.ts";
import { parseKeyReference } from "../../keys/key-references.ts";
import type { InputOf } from "../../model/shapes.ts";
import type { Caller } from "../engine-service.ts";
import { type EncryptionChange, startEncryption, stopEncryption } from "../key-changes.ts";
import { locateActiveStream } from "./located-stream.ts";
import type { Operation, OperationContext, OperationTable } from "./operation.ts";

type EncryptionOperation = "StartStreamEncryption" | "StopStreamEncryption";

/** @throws InvalidArgumentError for a key that no KMS knows the form of, or another type than KMS. */
function checkInput({ EncryptionType, KeyId }: InputOf<EncryptionOperation>): void {
  if (EncryptionType !== "KMS") {
    throw new InvalidArgumentError(
      `EncryptionType ${EncryptionType} is not supported. The only valid value is KMS.`,
      { argument: "EncryptionType", value: EncryptionType, limit: "KMS" },
    );
  }
  if (parseKeyReference(KeyId) !== undefined) return;
  throw new InvalidArgumentError(
    `KeyId ${KeyId} is neither the id nor the ARN of a key, nor the name or ARN of an alias.`,
    { argument: "KeyId", value: KeyId },
  );
}

function changeOf(
  context: OperationContext,
  operation: EncryptionOperation,
  input: InputOf<EncryptionOperation>,
  caller: Caller,
): EncryptionChange {
  return {
    locate: () => {
      const stream = locateActiveStream(context, input, { operation, caller });
      checkInput(input);
      return stream;
    },
    keyText: input.KeyId,
    principal: caller.principal,
    also: ({ uid }) => context.catalogue.transitions.beginning(uid, "UPDATING"),
  };
}

const startStreamEncryption: Operation<"StartStreamEncryption"> = async (
  context,
  input,
  caller,
) => {
  await startEncryption(context.keys, changeOf(context, "StartStreamEncryption", input, caller));
  return undefined;
};

const stopStreamEncryption: Operation<"StopStreamEncryption"> = async (context, input, caller) => {
  await stopEncryption(context.keys, changeOf(context, "StopStreamEncryption", input, caller));
  return undefined;
};

/** The operations of this family. */
export const encryptionOperations: Pick<OperationTable, EncryptionOperation> = {
  StartStreamEncryption: startStreamEncryption,
  StopStreamEncryption: stopStreamEncryption,
};
