import { readFile } from "node:fs/promises";
import { type AccessLogEntry, accessLog } from "@millrace/transform-access-log";
import fc from "fast-check";
import { type Outcome, openTransform, recordBatch } from "millrace/plugin";
import { describe, expect, it } from "vitest";

const transform = openTransform(accessLog());

async function transformLines(lines: readonly string[]): Promise<readonly Outcome[]> {
  return await transform.transform(recordBatch(lines.map((data) => ({ data }))));
}

async function parse(line: string): Promise<AccessLogEntry> {
  const [outcome] = await transformLines([line]);
  if (outcome?.result !== "Ok" || typeof outcome.data !== "string") {
    throw new Error(`not parsed: ${JSON.stringify(outcome)}`);
  }
  return JSON.parse(outcome.data);
}

const LINE =
  '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 ' +
  '"http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"';

/** The line with its request replaced. */
const withRequest = (request: string): string =>
  LINE.replace("GET /apache_pb.gif HTTP/1.0", request);

describe("a line of the combined format", () => {
  it("becomes JSON with every field", async () => {
    expect(await parse(LINE)).toEqual({
      remoteHost: "127.0.0.1",
      identity: null,
      user: "frank",
      time: "2000-10-10T20:55:36Z",
      method: "GET",
      path: "/apache_pb.gif",
      protocol: "HTTP/1.0",
      status: 200,
      bytes: 2326,
      referrer: "http://www.example.com/start.html",
      userAgent: "Mozilla/4.08 [en] (Win98; I ;Nav)",
    });
  });

  it("may leave out what servers leave out", async () => {
    const line = '::1 - - [29/Feb/2024:23:59:60 +0530] "-" 408 - "-" "-"';
    expect(await parse(line)).toEqual({
      remoteHost: "::1",
      identity: null,
      user: null,
      time: "2024-02-29T18:30:00Z",
      method: null,
      path: null,
      protocol: null,
      status: 408,
      bytes: 0,
      referrer: null,
      userAgent: null,
    });
  });

  it.each(["2001:db8::8a2e:370:7334", "::ffff:192.0.2.128", "fe80::1%eth0", "host.example.com"])(
    "may come from %s",
    async (remoteHost) => {
      expect(await parse(LINE.replace("127.0.0.1", remoteHost))).toMatchObject({ remoteHost });
    },
  );

  it("may hold escaped quotes, backslashes, controls and bytes of UTF-8", async () => {
    const agent = String.raw`say \"hi\" \\ tab\t caf\xc3\xa9 \q`;
    const line = LINE.replace("Mozilla/4.08 [en] (Win98; I ;Nav)", () => agent);
    expect(await parse(line)).toMatchObject({ userAgent: 'say "hi" \\ tab\t café \\q' });
  });

  it.each<[string, Partial<AccessLogEntry>]>([
    ["GET /", { method: "GET", path: "/", protocol: null }],
    ["POST /a b?c=d HTTP/2.0", { method: "POST", path: "/a b?c=d", protocol: "HTTP/2.0" }],
    ["OPTIONS * HTTP/1.1", { method: "OPTIONS", path: "*", protocol: "HTTP/1.1" }],
    ["M-SEARCH /x HTTP/3", { method: "M-SEARCH", path: "/x", protocol: "HTTP/3" }],
    [String.raw`\x16\x03\x01`, { method: null, path: "\u0016\u0003\u0001", protocol: null }],
    ["quit", { method: null, path: "quit", protocol: null }],
    ["", { method: null, path: "", protocol: null }],
    [String.raw`GET /\"q\" HTTP/1.1`, { method: "GET", path: '/"q"', protocol: "HTTP/1.1" }],
  ])("may have the request line %j", async (request, expected) => {
    expect(await parse(withRequest(request))).toMatchObject(expected);
  });

  it("may end with a line break, and name a user with a blank", async () => {
    expect(await parse(`${LINE.replace("frank", "jo doe")}\r\n`)).toMatchObject({ user: "jo doe" });
  });
});

describe("a line that does not match", () => {
  it.each<[string, string, string]>([
    ["nothing", "", "expected the remote host at column 1, found the end of the line"],
    ["prose", "hello", 'expected the remote host at column 1, found "hello"'],
    [
      "no time",
      "1.2.3.4 - - GET",
      'expected the user, then the time in brackets at column 11, found "- GET"',
    ],
    [
      "no user",
      "1.2.3.4 -  [x",
      'expected the user, then the time in brackets at column 11, found " [x"',
    ],
    [
      "another time",
      LINE.replace("Oct", "10"),
      "expected a time as in 17/May/2015:10:05:03 +0000]",
    ],
    [
      "the 31st of a shorter month",
      LINE.replace("10/Oct", "31/Sep"),
      "expected a day that exists at column 20",
    ],
    ["an unknown month", LINE.replace("Oct", "Okt"), "expected a day that exists at column 20"],
    ["an hour of 24", LINE.replace(":13:", ":24:"), "at column 20"],
    [
      "an unquoted request",
      LINE.replace('"GET', "GET"),
      "expected the opening quote of the request at column 48",
    ],
    [
      "a quote that stays open",
      LINE.slice(0, 60),
      "expected the closing quote of the request at column 61",
    ],
    [
      "a status in words",
      LINE.replace(" 200 ", " OK "),
      "expected a status of three digits or - at column 78",
    ],
    ["negative bytes", LINE.replace("2326", "-5"), "expected a number of bytes or - at column 82"],
    ["the common format", LINE.slice(0, LINE.indexOf(' "http')), "expected a number of bytes or -"],
    [
      "more than the format",
      `${LINE} 0.002`,
      'expected the end of the line at column 158, found " 0.002"',
    ],
  ])("fails with the reason and the column: %s", async (_what, line, reason) => {
    const [outcome] = await transformLines([line]);
    expect(outcome).toMatchObject({ result: "ProcessingFailed", code: "AccessLog.LineMismatch" });
    expect(outcome?.result === "ProcessingFailed" ? outcome.message : "").toContain(reason);
  });

  it("leaves its neighbours alone", async () => {
    const outcomes = await transformLines([LINE, "nonsense", LINE]);
    expect(outcomes.map(({ result }) => result)).toEqual(["Ok", "ProcessingFailed", "Ok"]);
  });
});

describe("a real access log", () => {
  it("of 10,000 lines matches in every line but the one that is cut off", async () => {
    const file = new URL("../../../test/fixtures/access-log/apache_combined.log", import.meta.url);
    const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
    const outcomes = await transformLines(lines);
    const failed = outcomes.flatMap((outcome, i) =>
      outcome.result === "ProcessingFailed" ? [{ line: i + 1, message: outcome.message }] : [],
    );
    expect(failed).toEqual([
      {
        line: 8899,
        message:
          "expected the closing quote of the user agent at column 183, found the end of the line",
      },
    ]);
    expect(outcomes).toHaveLength(10_000);
    const statuses = new Map<number | null, number>();
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.result !== "Ok" || typeof outcome.data !== "string") continue;
      const entry: AccessLogEntry = JSON.parse(outcome.data);
      statuses.set(entry.status, (statuses.get(entry.status) ?? 0) + 1);
      expect(lines[i]?.startsWith(`${entry.remoteHost} `)).toBe(true);
      expect(entry.time).toMatch(/^2015-05-\d\dT\d\d:\d\d:\d\dZ$/);
      expect(lines[i]).toContain(`" ${entry.status} ${entry.bytes === 0 ? "" : entry.bytes}`);
    }
    // Counted with grep in the same file.
    const expected = { 200: 9125, 206: 45, 301: 164, 304: 445, 403: 2, 404: 213, 416: 2, 500: 3 };
    expect(Object.fromEntries(statuses)).toEqual(expected);
  });
});

describe("any line", () => {
  const quote = (text: string): string => text.replaceAll(/["\\]/g, (one) => `\\${one}`);
  const plain = fc.string({ unit: "grapheme-ascii", maxLength: 60 });
  const field = plain.filter((text) => text !== "-");
  const token = fc.stringMatching(/^[!-Z^-~]{1,20}$/).filter((text) => text !== "-");
  const pathText = fc.stringMatching(/^\/[!-~]{0,40}$/);
  const seconds = fc.integer({ min: 0, max: 4_102_444_799 });
  const two = (value: number): string => String(value).padStart(2, "0");
  const months = [
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
  ];

  it("that a server writes reads back as what it was written from", async () => {
    const entry = fc.record({
      remoteHost: token,
      user: fc.option(token),
      seconds,
      aheadMinutes: fc.integer({ min: -719, max: 719 }),
      method: fc.constantFrom("GET", "POST", "HEAD"),
      path: pathText,
      status: fc.integer({ min: 100, max: 599 }),
      bytes: fc.nat(),
      referrer: fc.option(field),
      userAgent: fc.option(field),
    });
    await fc.assert(
      fc.asyncProperty(entry, async (one) => {
        const local = new Date((one.seconds + one.aheadMinutes * 60) * 1000);
        const ahead = Math.abs(one.aheadMinutes);
        const zone = `${one.aheadMinutes < 0 ? "-" : "+"}${two(Math.floor(ahead / 60))}${two(ahead % 60)}`;
        const time =
          `${two(local.getUTCDate())}/${months[local.getUTCMonth()]}/${local.getUTCFullYear()}:` +
          `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}:${two(local.getUTCSeconds())} ${zone}`;
        const line =
          `${one.remoteHost} - ${one.user ?? "-"} [${time}] "${one.method} ${quote(one.path)} HTTP/1.1" ` +
          `${one.status} ${one.bytes} "${quote(one.referrer ?? "-")}" "${quote(one.userAgent ?? "-")}"`;
        const { remoteHost, user, method, path, status, bytes, referrer, userAgent } = one;
        expect(await parse(line)).toEqual({
          ...{ remoteHost, identity: null, user, method, path, protocol: "HTTP/1.1" },
          ...{ status, bytes, referrer, userAgent },
          time: new Date(one.seconds * 1000).toISOString().replace(".000Z", "Z"),
        });
      }),
    );
  });

  it("is answered exactly once and never throws", async () => {
    const mangled = fc
      .tuple(fc.nat(LINE.length), fc.nat(5), fc.string({ unit: "binary", maxLength: 4 }))
      .map(([at, removed, inserted]) => LINE.slice(0, at) + inserted + LINE.slice(at + removed));
    const line = fc.oneof(fc.string({ unit: "binary" }), mangled);
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 20 }), async (lines) => {
        const outcomes = await transformLines(lines);
        expect(outcomes).toHaveLength(lines.length);
        for (const outcome of outcomes) {
          if (outcome.result !== "ProcessingFailed") continue;
          expect(outcome.message).toMatch(/^expected .* at column \d+, found /s);
        }
      }),
    );
  });
});

describe("the README", () => {
  it("shows what the plugin answers", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const blocks = [...readme.matchAll(/```json\n(.*?)```/gs)].map(([, json]) =>
      JSON.parse(json ?? ""),
    );
    const [ok, failed] = await transformLines([LINE, "127.0.0.1 - frank"]);
    expect(ok?.result === "Ok" ? JSON.parse(String(ok.data)) : ok).toEqual(blocks[0]);
    expect(failed).toEqual(blocks[1]);
    for (const part of LINE.split('" "')) expect(readme).toContain(part.slice(0, 60));
  });
});
