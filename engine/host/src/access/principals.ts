/**
 * Principals: who may be named in a resource policy.
 *
 * The account's root is the application itself: the page's own origin, and a server without access keys.
 * It may do everything that no policy denies. So may the access keys of a server, which belong to the
 * account. Embedding frames and plugins are strangers: they may do what a policy allows them.
 */
import { ACCOUNT_ID } from "../errors/index.ts";

const IAM = `arn:aws:iam::${ACCOUNT_ID}`;

/** The application itself. */
export const ROOT_PRINCIPAL = `${IAM}:root`;

/** A frame of another origin, as in `https://shop.example`. */
export function framePrincipal(origin: string): string {
  return `${IAM}:role/frame/${origin}`;
}

/** A plugin by its manifest's name. */
export function pluginPrincipal(name: string): string {
  return `${IAM}:role/plugin/${name}`;
}

/** An access key of `millrace serve`. */
export function accessKeyPrincipal(accessKeyId: string): string {
  return `${IAM}:user/${accessKeyId}`;
}

/** Whether a principal belongs to the account, so that it needs no policy to be allowed. */
export function belongsToAccount(principal: string): boolean {
  return principal === ROOT_PRINCIPAL || principal.startsWith(`${IAM}:user/`);
}

/** The account that a principal's ARN names; "" when the text is no ARN. */
export function accountOf(principal: string): string {
  return principal.split(":")[4] ?? "";
}
