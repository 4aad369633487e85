/** What a backend is made and opened with, and what is refused of it before anything is loaded or sent. */
import { inspect } from "node:util";
import { InvalidArgumentError, open } from "millrace";
import { type KinesisOptions, kinesis } from "millrace/remote";
import { describe, expect, it } from "vitest";
import { failureOf } from "../support.ts";
import { CREDENTIALS } from "./support.ts";

const GOOD = { region: "eu-central-1", credentials: CREDENTIALS };
const CLIENT = { send: () => undefined };

describe("options", () => {
  it.each<[string, unknown, string]>([
    ["none", undefined, "options"],
    ["a text", "us-east-1", "options"],
    ["an unknown one", { ...GOOD, profile: "default" }, "options.profile"],
    ["no region", { credentials: CREDENTIALS }, "region"],
    ["a region that is none", { ...GOOD, region: "evil.example/" }, "region"],
    ["an endpoint that is no URL", { ...GOOD, endpoint: "localhost" }, "endpoint"],
    ["an endpoint of another kind", { ...GOOD, endpoint: "ftp://localhost" }, "endpoint"],
    ["an endpoint that is a number", { ...GOOD, endpoint: 4567 }, "endpoint"],
    ["a password in the endpoint", { ...GOOD, endpoint: "http://a:pass@host" }, "endpoint"],
    ["no credentials", { region: "us-east-1" }, "credentials"],
    ["half of the credentials", { ...GOOD, credentials: { accessKeyId: "A" } }, "credentials"],
    [
      "an empty secret",
      { ...GOOD, credentials: { ...CREDENTIALS, secretAccessKey: "" } },
      "credentials",
    ],
    [
      "a token that is none",
      { ...GOOD, credentials: { ...CREDENTIALS, sessionToken: 1 } },
      "credentials",
    ],
    ["a handler that is none", { ...GOOD, requestHandler: {} }, "requestHandler"],
    ["a client that is none", { client: {} }, "client"],
    ["a client and credentials", { client: CLIENT, credentials: CREDENTIALS }, "credentials"],
    ["a client and a region", { client: CLIENT, region: "us-east-1" }, "region"],
    ["a short deadline", { ...GOOD, deadlineMs: 99 }, "deadlineMs"],
    ["a deadline that is none", { ...GOOD, deadlineMs: Number.NaN }, "deadlineMs"],
    ["polls that are too frequent", { ...GOOD, pollMs: 199 }, "pollMs"],
    ["an unknown order", { ...GOOD, orderedBy: "time" }, "orderedBy"],
  ])("are refused: %s", (_what, options, argument) => {
    let failure: unknown;
    try {
      kinesis(options as KinesisOptions);
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure).toMatchObject({ argument });
    const shown = inspect(failure, { depth: Number.POSITIVE_INFINITY, showHidden: true });
    expect(shown).not.toContain(CREDENTIALS.secretAccessKey);
    expect(shown).not.toContain("pass@");
  });

  it("that are good make a backend in which no credentials can be seen", async () => {
    const backend = kinesis({ ...GOOD, endpoint: new URL("http://127.0.0.1:9") });
    const remote = await open({ backend });
    for (const object of [backend, remote, remote.streams]) {
      const shown = inspect(object, { depth: Number.POSITIVE_INFINITY, showHidden: true });
      expect(shown).not.toContain(CREDENTIALS.secretAccessKey);
      expect(JSON.stringify(object)).not.toContain(CREDENTIALS.secretAccessKey);
    }
    expect(remote.name).toBe("http://127.0.0.1:9/");
    expect(remote.closed).toBe(false);
    await remote.close();
    expect(remote.closed).toBe(true);
  });
});

describe("open", () => {
  it("refuses other options beside a backend, and backends that are none", async () => {
    const backend = kinesis(GOOD);
    expect(await failureOf(open({ backend, name: "x" } as never))).toMatchObject({
      argument: "options.name",
    });
    expect(await failureOf(open({ backend, signal: "now" } as never))).toBeInstanceOf(
      InvalidArgumentError,
    );
    expect(await failureOf(open({ backend: "kinesis" } as never))).toBeInstanceOf(
      InvalidArgumentError,
    );
  });

  it("gives up when its signal is aborted", async () => {
    const signal = AbortSignal.abort(new Error("never mind"));
    expect(await failureOf(open({ backend: kinesis(GOOD), signal }))).toMatchObject({
      message: "never mind",
    });
  });
});
