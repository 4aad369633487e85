/**
 * Names of streams and consumers as the tools' identifiers. A name that an identifier cannot hold gets a part
 * of its MD5 behind it, so that what it becomes does not depend on which other names there are: a resource
 * whose identifier changed would be made anew, with nothing in it.
 */
import { hexOfBytes } from "@millrace/engine";
import { md5 } from "../aggregation/md5.ts";

/** Characters that are kept of a name; identifiers of CloudFormation have up to 255. */
const KEPT_CHARACTERS = 80;
const DIGEST_CHARACTERS = 8;
const SIMPLE = /^[a-z][a-z0-9]*$/;
const TERRAFORM = /^[a-zA-Z_][a-zA-Z0-9_]*(?:-[a-zA-Z0-9_]+)*$/;
/** Between the names of a stream and its consumer; no name that is kept as it is has two hyphens in a row. */
const SEPARATOR = "--";

/** Gives out every identifier once. */
export class Identifiers {
  readonly #taken = new Set<string>();

  /** The wish, or with a number behind it when it was given out already. */
  take(wish: string): string {
    let identifier = wish;
    for (let number = 2; this.#taken.has(identifier); number += 1) identifier = `${wish}${number}`;
    this.#taken.add(identifier);
    return identifier;
  }
}

/** A name as a part of a logical id of CloudFormation, which has letters and digits only. */
export function logicalPart(name: string): string {
  const words = name.split(/[^a-zA-Z0-9]+/).filter((word) => word !== "");
  const joined = words.map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`).join("");
  const isWhole = SIMPLE.test(name) && name.length <= KEPT_CHARACTERS;
  return isWhole ? joined : `${joined.slice(0, KEPT_CHARACTERS)}H${digestOf(name)}`;
}

/** The name of a resource as an identifier of Terraform; two names for a consumer and its stream. */
export function terraformName(...names: readonly string[]): string {
  const joined = names.join(SEPARATOR);
  const isWhole = names.every((name) => TERRAFORM.test(name)) && joined.length <= KEPT_CHARACTERS;
  if (isWhole) return joined;
  const safe = joined.replace(/[^a-zA-Z0-9_-]/g, "_").slice(0, KEPT_CHARACTERS);
  const first = /^[a-zA-Z_]/.test(safe) ? "" : "_";
  // A slash is in no name, so that each list of names has a digest of its own.
  return `${first}${safe}_h${digestOf(names.join("/"))}`;
}

function digestOf(text: string): string {
  return hexOfBytes(md5(new TextEncoder().encode(text))).slice(0, DIGEST_CHARACTERS);
}
