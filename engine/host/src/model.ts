/** What faces in pages need to know of AWS's operations: shapes, checks, tokens, principals, errors. */
export {
  accessKeyPrincipal,
  belongsToAccount,
  framePrincipal,
  pluginPrincipal,
  ROOT_PRINCIPAL,
} from "./access/principals.ts";
export { ACCOUNT_ID, SerializationError } from "./errors/index.ts";
export { type AwsError, awsErrorOf } from "./model/aws-error.ts";
export { formatIterator, type IteratorPosition, parseIterator } from "./model/iterator-token.ts";
export { mismatch } from "./model/mismatch.ts";
export {
  formatPageToken,
  PAGE_TOKEN_LIFE_MS,
  type PageToken,
  parsePageToken,
} from "./model/page-token.ts";
export {
  type InputOf,
  isOperationName,
  type OperationName,
  type OperationShape,
  type OutputOf,
  operations,
  type Shape,
  type StructureName,
  type StructureOf,
  type StructureShape,
  structureShape,
} from "./model/shapes.ts";
export { validateInput } from "./model/validate.ts";
export { ValuePath } from "./model/value-path.ts";
