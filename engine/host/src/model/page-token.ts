/**
 * Pagination tokens as text: opaque to callers, base64 of `{u32 check sum, JSON in UTF-8}`. A token says
 * for which operation it was made and where the next page begins; the operation checks its age.
 */
import { InvalidArgumentError } from "../errors/index.ts";
import type { OperationName } from "./shapes.ts";
import { base64Of, bytesOfBase64, fnv1a } from "./token-bytes.ts";

/** What a pagination token says. */
export interface PageToken {
  readonly operation: OperationName;
  /** The stream that is listed; 0 when the list is of no stream's. */
  readonly streamUid: number;
  /** Where the last page ended: a name, an id, whatever the operation lists by. */
  readonly position: string;
  /** When it was handed out, in ms since the Unix epoch. */
  readonly issuedMs: number;
  /** What the first call filtered by, as text of the operation's own; empty without a filter. */
  readonly filter: string;
}

/** How long a pagination token may be used, in ms. */
export const PAGE_TOKEN_LIFE_MS = 300_000;

const CHECKSUM_BYTES = 4;
/** Characters of a bad token that its error quotes. */
const QUOTED_CHARACTERS_MAX = 80;

/** The token as text. */
export function formatPageToken(token: PageToken): string {
  const { operation, streamUid, position, issuedMs, filter } = token;
  const json = JSON.stringify([operation, streamUid, position, issuedMs, filter]);
  const text = new TextEncoder().encode(json);
  const bytes = new Uint8Array(CHECKSUM_BYTES + text.byteLength);
  bytes.set(text, CHECKSUM_BYTES);
  new DataView(bytes.buffer).setUint32(0, fnv1a(text));
  return base64Of(bytes);
}

/** The members in their order, when the bytes are as {@link formatPageToken} writes them. */
function membersOf(token: string): unknown[] | undefined {
  const bytes = bytesOfBase64(token);
  if (bytes === undefined || bytes.byteLength <= CHECKSUM_BYTES) return undefined;
  const text = bytes.subarray(CHECKSUM_BYTES);
  if (new DataView(bytes.buffer).getUint32(0) !== fnv1a(text)) return undefined;
  try {
    const members: unknown = JSON.parse(new TextDecoder().decode(text));
    return Array.isArray(members) ? members : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/**
 * What a token says.
 * @throws InvalidArgumentError when it is none of ours, or of another operation.
 */
export function parsePageToken(token: string, operation: OperationName): PageToken {
  const [madeFor, streamUid, position, issuedMs, filter] = membersOf(token) ?? [];
  if (
    madeFor === operation &&
    typeof streamUid === "number" &&
    typeof position === "string" &&
    typeof issuedMs === "number" &&
    typeof filter === "string"
  ) {
    return { operation, streamUid, position, issuedMs, filter };
  }
  throw new InvalidArgumentError("NextToken is invalid.", {
    argument: "NextToken",
    value: token.slice(0, QUOTED_CHARACTERS_MAX),
  });
}
