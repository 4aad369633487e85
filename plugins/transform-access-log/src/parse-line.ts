/** One line of an access log in Apache's combined format, as an object. */
import { Scanner, unescapeText } from "./scanner.ts";

/** What a line says. Fields that the server left out ("-") are null. */
export interface AccessLogEntry {
  /** Name or address (IPv4 or IPv6) of the client. */
  readonly remoteHost: string;
  readonly identity: string | null;
  readonly user: string | null;
  /** ISO 8601 in UTC, to the second. */
  readonly time: string;
  /** Null when the request line is none of HTTP's. */
  readonly method: string | null;
  /** Path and query; the whole request line when that is none of HTTP's; null when there was none. */
  readonly path: string | null;
  /** As in `HTTP/1.1`; null when the request line names none. */
  readonly protocol: string | null;
  readonly status: number | null;
  /** Bytes of the response's body; the format's "-" means 0. */
  readonly bytes: number;
  readonly referrer: string | null;
  readonly userAgent: string | null;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TIME =
  /(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60) ([+-])([01]\d|2[0-3])([0-5]\d)\] /y;
const STATUS = /(?:([1-9]\d\d)|-) /y;
const BYTES = /(?:(\d{1,15})|-) /y;
const REQUEST = /^([A-Za-z][A-Za-z0-9!#$%&'*+.^_`|~-]*) (\S.*?)(?: (HTTP\/\d(?:\.\d)?))?$/s;

function orNull(text: string): string | null {
  return text === "-" ? null : unescapeText(text);
}

/** Reads the time after its opening bracket, and over the closing one. @throws LineMismatch. */
function readTime(scanner: Scanner): string {
  const name = "a time as in 17/May/2015:10:05:03 +0000] ";
  const [whole, ...parts] = scanner.match(TIME, name);
  const [
    day = "",
    monthName = "",
    year = "",
    hour,
    minute,
    second,
    sign,
    aheadHours,
    aheadMinutes,
  ] = parts;
  const month = MONTHS.indexOf(monthName);
  const midnight = new Date(0);
  midnight.setUTCFullYear(Number(year), month, Number(day));
  // A day that its month has not would silently become one of the next month.
  const exists =
    month >= 0 && midnight.getUTCMonth() === month && midnight.getUTCDate() === Number(day);
  if (!exists) scanner.fail("a day that exists", whole.length);
  const aheadSeconds = (Number(aheadHours) * 60 + Number(aheadMinutes)) * 60;
  const localSeconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  const seconds = sign === "-" ? localSeconds + aheadSeconds : localSeconds - aheadSeconds;
  return new Date(midnight.getTime() + seconds * 1000).toISOString().replace(".000Z", "Z");
}

type Request = Pick<AccessLogEntry, "method" | "path" | "protocol">;

function parseRequest(line: string): Request {
  const parts = REQUEST.exec(line);
  if (parts === null) return { method: null, path: orNull(line), protocol: null };
  const [, method = "", path = "", protocol] = parts;
  return { method, path: unescapeText(path), protocol: protocol ?? null };
}

/**
 * Reads one line, without its line break (one at the end is ignored).
 *
 * @throws LineMismatch, which says what was expected at which column.
 */
export function parseLine(line: string): AccessLogEntry {
  const scanner = new Scanner(line.replace(/\r?\n$/, ""));
  const remoteHost = scanner.until(" ", "the remote host");
  const identity = orNull(scanner.until(" ", "the identity"));
  // A user's name may hold blanks; what follows it is always the time in brackets.
  const user = orNull(scanner.until(" [", "the user, then the time in brackets"));
  const time = readTime(scanner);
  const request = parseRequest(scanner.quoted("the request"));
  scanner.skip(" ", "a blank after the request");
  const [, status] = scanner.match(STATUS, "a status of three digits or -");
  const [, bytes] = scanner.match(BYTES, "a number of bytes or -");
  const referrer = orNull(scanner.quoted("the referrer"));
  scanner.skip(" ", "a blank after the referrer");
  const userAgent = orNull(scanner.quoted("the user agent"));
  scanner.end();
  return {
    remoteHost,
    identity,
    user,
    time,
    ...request,
    status: status === undefined ? null : Number(status),
    bytes: Number(bytes ?? 0),
    referrer,
    userAgent,
  };
}
