/** Checks requests that are signed with AWS Signature Version 4, in a header or in the query. */
import type { Buffer } from "node:buffer";
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { MillraceError } from "@millrace/engine";
import type { Clock } from "./time.ts";

/** An access key that a server accepts. */
export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What of a request is signed. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly target: string;
  /** A header's value by its name in lower case; `:authority` is one of them in HTTP/2. */
  header(name: string): string | undefined;
  readonly body: Uint8Array;
}

/** A request's signature is missing or wrong; code and text are AWS's. */
export class SignatureError extends MillraceError {}

const ALGORITHM = "AWS4-HMAC-SHA256";
const SERVICE = "kinesis";
const TERMINATOR = "aws4_request";
const SKEW_MS_MAX = 300_000;
const PRESIGNED_SECONDS_MAX = 604_800;
const KEYS_CACHED_MAX = 100;

/** The parts of a signature, from wherever they stand in a request. */
interface Signature {
  readonly credential: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** As in `20260101T000000Z`. */
  readonly date: string;
  /** How long after its date it is good, in ms; undefined when it stands in a header. */
  readonly presignedMs: number | undefined;
}

/** Verifies signatures against a set of access keys. */
export class SignatureVerifier {
  readonly #keys: ReadonlyMap<string, string>;
  readonly #clock: Clock;
  /** Signing keys by what they were derived from: they change once a day. */
  readonly #signingKeys = new Map<string, Uint8Array>();

  constructor(keys: readonly AccessKey[], clock: Clock) {
    this.#keys = new Map(
      keys.map(({ accessKeyId, secretAccessKey }) => [accessKeyId, secretAccessKey]),
    );
    this.#clock = clock;
  }

  /** Returns the access key id that signed the request. @throws SignatureError. */
  verify(request: SignedRequest): string {
    const query = new URLSearchParams(request.target.split("?").slice(1).join("?"));
    const signature = findSignature(request, query);
    const [accessKeyId = "", ...scope] = signature.credential.split("/");
    const secret = this.#keys.get(accessKeyId);
    if (secret === undefined) {
      throw new SignatureError(
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
      );
    }
    checkScope(scope, signature.date);
    this.#checkTime(signature);
    checkSignedHeaders(request, signature);
    const canonical = canonicalRequest(request, query, signature);
    const stringToSign = [ALGORITHM, signature.date, scope.join("/"), sha256(canonical)].join("\n");
    const expected = hmac(this.#signingKey(secret, scope), stringToSign).toString("hex");
    if (!equal(expected, signature.signature)) throw mismatch(canonical, stringToSign);
    return accessKeyId;
  }

  /** Whether an access key id and its secret are given as they are, as by HTTP's Basic scheme. */
  knows(accessKeyId: string, secretAccessKey: string): boolean {
    const secret = this.#keys.get(accessKeyId);
    return secret !== undefined && equal(secret, secretAccessKey);
  }

  #signingKey(secret: string, scope: readonly string[]): Uint8Array {
    const name = [secret, ...scope].join("/");
    const known = this.#signingKeys.get(name);
    if (known !== undefined) return known;
    let key: Uint8Array = new TextEncoder().encode(`AWS4${secret}`);
    for (const part of scope) key = hmac(key, part);
    // Scopes come from outside: whoever makes them up must not fill the memory.
    if (this.#signingKeys.size >= KEYS_CACHED_MAX) this.#signingKeys.clear();
    this.#signingKeys.set(name, key);
    return key;
  }

  #checkTime({ date, presignedMs }: Signature): void {
    const signedMs = timeOf(date);
    if (signedMs === undefined) {
      throw new SignatureError(
        "IncompleteSignatureException",
        `Date must be in ISO-8601 'basic format'. Got '${date}'. See http://en.wikipedia.org/wiki/ISO_8601`,
      );
    }
    const nowMs = this.#clock.nowMs();
    const skewed = (byMs: number): string => basicDate(nowMs + byMs);
    if (signedMs > nowMs + SKEW_MS_MAX) {
      throw new SignatureError(
        "InvalidSignatureException",
        `Signature not yet current: ${date} is still later than ${skewed(SKEW_MS_MAX)} (${skewed(0)} + 5 min.)`,
      );
    }
    if (presignedMs !== undefined) {
      if (signedMs + presignedMs >= nowMs) return;
      throw new SignatureError(
        "InvalidSignatureException",
        `Signature expired: ${basicDate(signedMs + presignedMs)} is now earlier than ${skewed(0)}`,
      );
    }
    if (signedMs >= nowMs - SKEW_MS_MAX) return;
    throw new SignatureError(
      "InvalidSignatureException",
      `Signature expired: ${date} is now earlier than ${skewed(-SKEW_MS_MAX)} (${skewed(0)} - 5 min.)`,
    );
  }
}

function findSignature(request: SignedRequest, query: URLSearchParams): Signature {
  const header = request.header("authorization")?.trim();
  const inQuery = query.has("X-Amz-Algorithm");
  if (header !== undefined && inQuery) {
    throw new SignatureError(
      "InvalidSignatureException",
      "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.",
    );
  }
  if (inQuery) return signatureOfQuery(query);
  if (header === undefined || !header.startsWith("AWS4-")) {
    throw new SignatureError("MissingAuthenticationTokenException", "Missing Authentication Token");
  }
  return signatureOfHeader(request, header);
}

function signatureOfHeader(request: SignedRequest, header: string): Signature {
  const parts = new Map<string, string>();
  for (const part of header.slice(header.indexOf(" ") + 1).split(",")) {
    const at = part.indexOf("=");
    if (at > 0) parts.set(part.slice(0, at).trim(), part.slice(at + 1).trim());
  }
  const date = request.header("x-amz-date") ?? basicHttpDate(request.header("date"));
  const missing = ["Credential", "Signature", "SignedHeaders"]
    .filter((name) => !parts.has(name))
    .map((name) => `Authorization header requires '${name}' parameter. `);
  if (date === undefined) {
    missing.push(
      "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ",
    );
  }
  if (missing.length > 0 || !header.startsWith(`${ALGORITHM} `)) {
    const text = missing.length > 0 ? missing.join("") : `Unsupported AWS 'algorithm': `;
    throw new SignatureError("IncompleteSignatureException", `${text}Authorization=${header}`);
  }
  return {
    credential: parts.get("Credential") ?? "",
    signedHeaders: (parts.get("SignedHeaders") ?? "").split(";"),
    signature: parts.get("Signature") ?? "",
    date: date ?? "",
    presignedMs: undefined,
  };
}

const QUERY_MEMBERS = ["Algorithm", "Credential", "Signature", "SignedHeaders", "Date"];

function signatureOfQuery(query: URLSearchParams): Signature {
  const missing = QUERY_MEMBERS.filter((name) => (query.get(`X-Amz-${name}`) ?? "") === "");
  if (missing.length > 0) {
    const text = missing
      .map((name) => `AWS query-string parameters must include 'X-Amz-${name}'. `)
      .join("");
    throw new SignatureError(
      "IncompleteSignatureException",
      `${text}Re-examine the query-string parameters.`,
    );
  }
  const member = (name: string): string => query.get(`X-Amz-${name}`) ?? "";
  const seconds = Number(query.get("X-Amz-Expires") ?? 300);
  if (member("Algorithm") !== ALGORITHM || !(seconds > 0 && seconds <= PRESIGNED_SECONDS_MAX)) {
    throw new SignatureError(
      "IncompleteSignatureException",
      `X-Amz-Algorithm must be ${ALGORITHM}, and X-Amz-Expires 1 to ${PRESIGNED_SECONDS_MAX} seconds.`,
    );
  }
  return {
    credential: member("Credential"),
    signedHeaders: member("SignedHeaders").split(";"),
    signature: member("Signature"),
    date: member("Date"),
    presignedMs: seconds * 1000,
  };
}

/** A scope is date, region, service and terminator; any region will do. */
function checkScope(scope: readonly string[], date: string): void {
  const [day, , service, terminator] = scope;
  const problems: string[] = [];
  if (scope.length !== 4) {
    problems.push(
      "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.",
    );
  } else {
    if (service !== SERVICE) {
      problems.push(`Credential should be scoped to correct service: '${SERVICE}'.`);
    }
    if (terminator !== TERMINATOR) {
      problems.push(
        `Credential should be scoped with a valid terminator: '${TERMINATOR}', not '${terminator}'.`,
      );
    }
    if (day !== date.slice(0, 8)) {
      problems.push(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: " +
          `'${day}' != '${date.slice(0, 8)}', from '${date}'.`,
      );
    }
  }
  if (problems.length > 0)
    throw new SignatureError("InvalidSignatureException", problems.join(" "));
}

/** What decides who is asked for what must be signed: whoever sees a request could otherwise make another of it. */
function checkSignedHeaders(request: SignedRequest, { signedHeaders }: Signature): void {
  const signed = new Set(signedHeaders);
  if (!signed.has("host") && !signed.has(":authority")) {
    throw new SignatureError(
      "InvalidSignatureException",
      "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
    );
  }
  if (request.header("x-amz-target") === undefined || signed.has("x-amz-target")) return;
  throw new SignatureError(
    "InvalidSignatureException",
    "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
  );
}

function canonicalRequest(
  request: SignedRequest,
  query: URLSearchParams,
  { signedHeaders }: Signature,
): string {
  const headers = signedHeaders.map((name) => {
    const value = headerValue(request, name) ?? "";
    return `${name}:${value.replace(/[\t\r\n ]+/g, " ").trim()}`;
  });
  const [path = "/"] = request.target.split("?", 1);
  return [
    request.method,
    path.split("/").map(escapeUri).join("/"),
    canonicalQuery(query),
    ...headers,
    "",
    signedHeaders.join(";"),
    sha256(request.body),
  ].join("\n");
}

/** HTTP/2 says `:authority` for `host`, and clients sign the one or the other. */
function headerValue(request: SignedRequest, name: string): string | undefined {
  const value = request.header(name);
  if (value !== undefined) return value;
  if (name === "host") return request.header(":authority");
  return name === ":authority" ? request.header("host") : undefined;
}

function canonicalQuery(query: URLSearchParams): string {
  return [...query]
    .filter(([name]) => name !== "X-Amz-Signature")
    .map(([name, value]) => [escapeUri(name), escapeUri(value)] as const)
    .sort(([leftName, left], [rightName, right]) =>
      leftName === rightName ? compare(left, right) : compare(leftName, rightName),
    )
    .map((pair) => pair.join("="))
    .join("&");
}

function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** Escapes all but letters, digits and `-._~`. */
function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function mismatch(canonical: string, stringToSign: string): SignatureError {
  return new SignatureError(
    "InvalidSignatureException",
    "The request signature we calculated does not match the signature you provided. Check your AWS " +
      "Secret Access Key and signing method. Consult the service documentation for details.\n\n" +
      `The Canonical String for this request should have been\n'${canonical}'\n\n` +
      `The String-to-Sign should have been\n'${stringToSign}'\n`,
  );
}

function sha256(content: string | Uint8Array): string {
  return createHash("sha256").update(content).digest("hex");
}

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac("sha256", key).update(text).digest();
}

/** Compares without telling by its time where the difference is. */
function equal(left: string, right: string): boolean {
  // Hashes are of one length, whatever is compared.
  const digest = (text: string): Uint8Array => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(left), digest(right));
}

/** `20260101T000000Z` in ms since the Unix epoch. */
function timeOf(date: string): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date)?.slice(1).map(Number);
  if (parts === undefined) return undefined;
  const [year = 0, month = 1, day = 1, hours = 0, minutes = 0, seconds = 0] = parts;
  return Date.UTC(year, month - 1, day, hours, minutes, seconds);
}

function basicDate(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/[-:]|\.\d+/g, "");
}

function basicHttpDate(header: string | undefined): string | undefined {
  const timeMs = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(timeMs) ? undefined : basicDate(timeMs);
}
