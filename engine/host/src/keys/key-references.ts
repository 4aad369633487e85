/** How callers name a master key: by id, alias, or the ARN of either. */
import { InvalidArgumentError } from "../errors/index.ts";
import { ACCOUNT_ID } from "../errors/service-errors.ts";

const UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}";
/** Multi-Region keys have ids of their own form. */
const KEY = `(?:${UUID}|mrk-[0-9a-f]{32})`;
const ALIAS = "alias/[a-zA-Z0-9/_-]{1,250}";
const REFERENCE = new RegExp(
  `^(?:arn:aws[-a-z]*:kms:[-a-z0-9]+:\\d{12}:(?:key/(${KEY})|(${ALIAS}))|(${KEY})|(${ALIAS}))$`,
);
const ALIAS_NAME = new RegExp(`^${ALIAS}$`);
const AWS_ALIAS = "alias/aws/";
const ARN_PREFIX = `arn:aws:kms:us-east-1:${ACCOUNT_ID}:`;

/** What a caller's text refers to. */
export type KeyReference =
  | { readonly kind: "id"; readonly keyId: string }
  | { readonly kind: "alias"; readonly alias: string };

/** The reference of a text, whatever account and region its ARN names; undefined when it has no such form. */
export function parseKeyReference(text: string): KeyReference | undefined {
  const [, idOfArn, aliasOfArn, id, alias] = REFERENCE.exec(text) ?? [];
  const keyId = idOfArn ?? id;
  if (keyId !== undefined) return { kind: "id", keyId: keyId.toLowerCase() };
  const named = aliasOfArn ?? alias;
  return named === undefined ? undefined : { kind: "alias", alias: named };
}

/** Refuses an alias that a new key cannot have. @throws InvalidArgumentError. */
export function checkAlias(alias: string): void {
  if (ALIAS_NAME.test(alias) && !alias.startsWith(AWS_ALIAS)) return;
  throw new InvalidArgumentError(
    `alias must begin with "alias/", not with "${AWS_ALIAS}", and go on with letters, digits, "/", "_" and "-", but it is "${alias.slice(0, 80)}"`,
    { argument: "alias", value: alias.slice(0, 80), limit: "alias/[a-zA-Z0-9/_-]{1,250}" },
  );
}

/** ARN of a master key. */
export function keyArn(keyId: string): string {
  return `${ARN_PREFIX}key/${keyId}`;
}

/** ARN of an alias. */
export function aliasArn(alias: string): string {
  return `${ARN_PREFIX}${alias}`;
}
