/** What goes wrong between here and a service elsewhere, as typed errors, in time, and without a secret. */
import { inspect } from "node:util";
import { Kinesis, KinesisClient } from "@aws-sdk/client-kinesis";
import {
  type MillraceError,
  NotSupportedError,
  ResourceNotFoundError,
  ThroughputExceededError,
} from "millrace";
import {
  ClockSkewError,
  CredentialsError,
  type RemoteMillrace,
  RemoteUnavailableError,
  WrongEndpointError,
} from "millrace/remote";
import { describe, expect, it } from "vitest";
import { failureOf } from "../support.ts";
import { answer, type Behaviour, forward, startStub } from "./stub-endpoint.ts";
import {
  CREDENTIALS,
  endLater,
  http1,
  openRemote,
  startKinesalite,
  startServe,
} from "./support.ts";

const RECORD = { partitionKey: "k", data: "x" };

/** A backend in front of an endpoint that behaves as it is told; `calls` are those that came there. */
async function openStub(behave: Behaviour, deadlineMs = 600) {
  const calls: string[] = [];
  const url = await startStub((question) => {
    calls.push(question.operation);
    behave(question);
  });
  const remote = await openRemote(url, { requestHandler: http1(), deadlineMs });
  return { remote, calls, url };
}

const list = (remote: RemoteMillrace): Promise<MillraceError> =>
  failureOf(remote.streams.list()) as Promise<MillraceError>;

describe("credentials", () => {
  it.each([
    ["an unknown access key", { ...CREDENTIALS, accessKeyId: "AKIDOTHER" }],
    ["a wrong secret", { ...CREDENTIALS, secretAccessKey: "another secret" }],
    ["a session token that is none", { ...CREDENTIALS, accessKeyId: "A", sessionToken: "a token" }],
  ])("that are wrong, %s, are told", async (_what, credentials) => {
    const { url } = await startServe({ accessKeys: [CREDENTIALS] });
    const remote = await openRemote(url, { credentials });
    const failure = await list(remote);
    expect(failure).toBeInstanceOf(CredentialsError);
    expect(failure).toMatchObject({ retryable: false, indeterminate: false });
    const shown = inspect(failure, { depth: Number.POSITIVE_INFINITY, showHidden: true });
    for (const secret of [credentials.secretAccessKey, "a token"]) {
      expect(shown).not.toContain(secret);
    }
  });

  it("are asked of their provider, and again when they end", async () => {
    const { url } = await startServe({ accessKeys: [CREDENTIALS] });
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      return { ...CREDENTIALS, expiration: new Date(Date.now() + 1000) };
    };
    const { streams } = await openRemote(url, { credentials });
    expect(asked).toBe(0);
    expect(await streams.list()).toEqual([]);
    await streams.list();
    expect(asked).toBeGreaterThan(1);
  });

  it("of a provider that fails, gives none or never answers are told", async () => {
    const { url } = await startServe();
    const cases: [() => Promise<never>, unknown][] = [
      [
        () => Promise.reject(new Error("the vault is sealed")),
        "the provider of credentials failed",
      ],
      [() => Promise.resolve({}) as Promise<never>, "the provider of credentials gave none"],
    ];
    for (const [credentials, message] of cases) {
      const failure = await list(await openRemote(url, { credentials }));
      expect(failure).toBeInstanceOf(CredentialsError);
      expect(failure.message).toBe(message);
    }
    const never = () => new Promise<never>(() => undefined);
    const remote = await openRemote(url, { credentials: never, deadlineMs: 200 });
    expect(await list(remote)).toMatchObject({ name: "DeadlineError" });
  });
});

describe("clocks", () => {
  it("that are wrong are made right, and the call again", async () => {
    const { url } = await startServe({ accessKeys: [CREDENTIALS] });
    const config = { region: "us-east-1", endpoint: url, credentials: CREDENTIALS, maxAttempts: 1 };
    const client = new Kinesis({ ...config, systemClockOffset: 7_200_000 });
    endLater(() => client.destroy());
    const { streams } = await openRemote(url, { client });
    const stream = await streams.create("clicks");
    expect(await stream.putRecord(RECORD)).toMatchObject({ shardId: "shardId-000000000000" });
  });

  it.each([
    ["RequestTimeTooSkewed", ""],
    ["InvalidSignatureException", "Signature expired: 20200101T000000Z is now earlier than …"],
    ["InvalidSignatureException", "Signature not yet current: 2030 is still later than …"],
  ])("that stay wrong are told: %s", async (__type, message) => {
    const { remote, calls } = await openStub(({ response }) =>
      answer(response, 400, { __type, message }),
    );
    const failure = await list(remote);
    expect(failure).toBeInstanceOf(ClockSkewError);
    expect(failure.indeterminate).toBe(false);
    expect(calls.length).toBeGreaterThan(1);
  });
});

describe("endpoints that are not Kinesis", () => {
  const html =
    (status: number): Behaviour =>
    ({ response }) => {
      response.writeHead(status, { "content-type": "text/html" });
      response.end("<!doctype html><title>A page</title>");
    };

  it.each<[string, Behaviour]>([
    ["a page", html(200)],
    ["a page that is not found", html(404)],
    ["JSON of another kind", ({ response }) => answer(response, 200, { ok: true })],
    ["JSON that is not found", ({ response }) => answer(response, 404, { error: "no such route" })],
    ["nothing", ({ response }) => response.end()],
    [
      "another service of AWS",
      ({ response }) =>
        answer(response, 400, { __type: "com.amazon.coral.service#UnknownOperationException" }),
    ],
    ["a number", ({ response }) => answer(response, 200, 42)],
  ])("are told by %s", async (_what, behave) => {
    const { remote, url } = await openStub(behave);
    const failure = await list(remote);
    expect(failure).toBeInstanceOf(WrongEndpointError);
    expect(failure).toMatchObject({ argument: "endpoint", value: `${url}/`, retryable: false });
  });

  it("are told when they do not speak HTTP/2, with what to do", async () => {
    const url = await startKinesalite();
    const remote = await openRemote(url, { deadlineMs: 300 });
    const failure = await list(remote);
    expect(failure).toBeInstanceOf(RemoteUnavailableError);
    expect(failure.message).toContain("requestHandler");
  });

  it("lack operations that kinesalite lacks, which is told by the operation", async () => {
    const remote = await openRemote(await startKinesalite(), { requestHandler: http1() });
    const stream = await remote.streams.create("clicks");
    for (const [call, operation] of [
      [() => stream.scale(2), "UpdateShardCount"],
      [() => stream.registerConsumer("audit"), "RegisterStreamConsumer"],
      [() => stream.startEncryption({ keyId: "alias/aws/kinesis" }), "StartStreamEncryption"],
    ] as const) {
      const failure = await failureOf(call());
      expect(failure).toBeInstanceOf(NotSupportedError);
      expect(failure).toMatchObject({ value: operation });
    }
    const onDemand = remote.streams.create("demand", { mode: "ON_DEMAND" });
    expect(await failureOf(onDemand)).toBeInstanceOf(Error);
  });
});

describe("networks", () => {
  it.each([
    ["a port where nobody listens", "http://127.0.0.1:1"],
    ["a name that nobody has", "http://no-such-host.invalid"],
  ])("that are away are told: %s", async (_what, endpoint) => {
    for (const requestHandler of [http1(), undefined]) {
      const handler = requestHandler === undefined ? {} : { requestHandler };
      const remote = await openRemote(endpoint, { deadlineMs: 400, ...handler });
      const begun = performance.now();
      const failure = await list(remote);
      expect(performance.now() - begun).toBeLessThan(10_000);
      expect(failure).toMatchObject({ retryable: true, indeterminate: false });
      expect(failure.code).toMatch(/ServiceUnavailableException|DeadlineException/);
      if (failure instanceof RemoteUnavailableError) expect(failure.cause).toBeInstanceOf(Error);
    }
  });

  it("that swallow what is sent end calls by their deadline, and puts leave it open", async () => {
    const { remote } = await openStub(() => undefined, 300);
    const failure = await list(remote);
    expect(failure).toMatchObject({ name: "DeadlineError", indeterminate: false });
    expect(await failureOf(remote.streams.delete("clicks"))).toMatchObject({
      name: "DeadlineError",
      indeterminate: true,
    });
  });

  it("that break are ridden out by reads, and told by puts", async () => {
    const { url } = await startServe();
    let broken = 3;
    const { remote, calls } = await openStub((question) => {
      if (broken-- > 0) question.incoming.socket.destroy();
      else forward(url, question);
    }, 5000);
    const stream = await remote.streams.ensure("clicks");
    expect(calls.filter((name) => name === "DescribeStreamSummary").length).toBeGreaterThan(1);
    broken = 1;
    const failure = await failureOf(stream.putRecord(RECORD));
    expect(failure).toBeInstanceOf(RemoteUnavailableError);
    expect(failure).toMatchObject({ retryable: true, indeterminate: true });
    expect(calls.filter((name) => name === "PutRecords")).toHaveLength(1);
    await stream.putRecord(RECORD);
  });
});

describe("what services say", () => {
  it.each([
    [400, "ResourceNotFoundException", "ResourceNotFoundError", false],
    [400, "ResourceInUseException", "ResourceInUseError", false],
    [400, "LimitExceededException", "LimitExceededError", true],
    [400, "ThrottlingException", "LimitExceededError", true],
    [429, "Unknown", "LimitExceededError", true],
    [400, "ProvisionedThroughputExceededException", "ThroughputExceededError", true],
    [400, "InvalidArgumentException", "InvalidArgumentError", false],
    [400, "ValidationException", "ValidationError", false],
    [400, "ExpiredNextTokenException", "ExpiredNextTokenError", false],
    [400, "AccessDeniedException", "AccessDeniedError", false],
    [400, "KMSDisabledException", "KmsDisabledError", false],
    [400, "KMSThrottlingException", "LimitExceededError", true],
    [403, "ExpiredTokenException", "CredentialsError", false],
    [403, "IncompleteSignatureException", "CredentialsError", false],
    [400, "SomethingNewException", "MillraceError", false],
    [500, "InternalFailure", "RemoteUnavailableError", true],
    [503, "", "RemoteUnavailableError", true],
  ])("with status %i, %s, is a %s", async (status, __type, name, retryable) => {
    const { remote } = await openStub(({ response }) =>
      answer(response, status, { __type, message: "as the service says it\nand the request" }),
    );
    const failure = await failureOf(remote.streams.delete("clicks"));
    expect(failure).toMatchObject({ name, retryable });
    expect(String(failure)).not.toContain("and the request");
  });

  it("on throttling is tried again by calls that change nothing, and left to the caller by others", async () => {
    let refusals = 2;
    const { remote, calls } = await openStub(({ operation, response }) => {
      if (refusals-- > 0) answer(response, 400, { __type: "LimitExceededException", message: "" });
      else answer(response, 200, { StreamNames: [], HasMoreStreams: false });
      if (operation === "DeleteStream") refusals = 1;
    }, 5000);
    expect(await remote.streams.list()).toEqual([]);
    expect(calls).toEqual(["ListStreams", "ListStreams", "ListStreams"]);
    refusals = 1;
    expect(await failureOf(remote.streams.delete("a"))).toMatchObject({
      name: "LimitExceededError",
    });
    expect(calls).toHaveLength(4);
  });
});

describe("what the far side cannot do", () => {
  it("is told with the reason", async () => {
    const remote = await openRemote((await startServe()).url);
    const stream = await remote.streams.create("clicks");
    for (const [call, reason] of [
      [() => stream.configure(), "durable"],
      [() => stream.shred(), "KMS"],
      [() => stream.metrics(), "CloudWatch"],
      [() => remote.streams.create("a", { durability: "relaxed" }), "strict"],
      [() => remote.streams.ensure("a", { whenFull: "drop-oldest" }), "refuse-new"],
    ] as const) {
      const failure = await failureOf(call());
      expect(failure).toBeInstanceOf(NotSupportedError);
      expect(String(failure)).toContain(reason);
    }
    Object.assign(globalThis, { document: {} });
    try {
      const subscribe = () => stream.subscribe({ consumer: "audit", from: "LATEST" });
      expect(subscribe).toThrow(NotSupportedError);
    } finally {
      Reflect.deleteProperty(globalThis, "document");
    }
  });
});

describe("clients of the caller's", () => {
  it.each([
    ["the aggregated one", Kinesis],
    ["the bare one", KinesisClient],
  ])("are used, and not destroyed: %s", async (_what, Client) => {
    const { url } = await startServe();
    const client = new Client({ region: "us-east-1", endpoint: url, credentials: CREDENTIALS });
    endLater(() => client.destroy());
    for (let round = 0; round < 2; round++) {
      const remote = await openRemote(url, { client });
      const stream = await remote.streams.ensure("clicks");
      await stream.putRecord(RECORD);
      await remote.close();
    }
  });
});

describe("quotas", () => {
  it("refuse the last records of a key only, and tell a single one's putter", async () => {
    // While time stands still, a shard takes a thousand records.
    const { url } = await startServe({ quotas: "aws", time: "virtual" });
    const remote = await openRemote(url);
    const stream = await remote.streams.create("clicks");
    const records = Array.from({ length: 2500 }, (_, i) => ({
      partitionKey: `key-${i % 400}`,
      data: `${i}`,
    }));
    const result = await stream.putRecords(records);
    expect(result.failedRecordCount).toBe(1500);
    const refused = new Set<string>();
    let stored = 0;
    for (const [i, outcome] of [...result].entries()) {
      const key = records[i]?.partitionKey ?? "";
      if ("errorCode" in outcome) {
        refused.add(key);
        expect(outcome.errorCode).toBe("ProvisionedThroughputExceededException");
      } else {
        stored += 1;
        expect(refused.has(key)).toBe(false);
      }
    }
    expect(stored + result.failedRecordCount).toBe(2500);
    const failure = await failureOf(stream.putRecord(RECORD));
    expect(failure).toBeInstanceOf(ThroughputExceededError);
    expect(failure).toMatchObject({ retryable: true, argument: "record.partitionKey", value: "k" });
    expect(await failureOf(remote.streams.get("other"))).toBeInstanceOf(ResourceNotFoundError);
  });
});
