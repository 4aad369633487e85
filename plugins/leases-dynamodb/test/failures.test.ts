/** What goes wrong between here and DynamoDB: ridden out where that is safe, else told, and never as another's answer. */
import { inspect } from "node:util";
import { DynamoDB, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  AccessDeniedError,
  EngineClosedError,
  InvalidArgumentError,
  type MillraceError,
  ResourceNotFoundError,
} from "millrace";
import {
  ClockSkewError,
  CredentialsError,
  RemoteUnavailableError,
  WrongEndpointError,
} from "millrace/remote";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { VirtualClock } from "../../../engine/host/src/platform/virtual-clock.ts";
import { leaseRow, rowsOf } from "../../../sdk/test/remote/lease-table-contract.ts";
import {
  answer,
  type Behaviour,
  forward,
  startStub,
} from "../../../sdk/test/remote/stub-endpoint.ts";
import {
  CREDENTIALS,
  endLater,
  startKinesalite,
  startServe,
} from "../../../sdk/test/remote/support.ts";
import { failureOf } from "../../../sdk/test/support.ts";
import { DYNAMODB } from "../src/dynamo-service.ts";
import { type DynamoLeasesOptions, type DynamoLeaseTable, dynamoLeases } from "../src/index.ts";
import { startIdleClock } from "./idle-clock.ts";
import { clientAt, leasesAt, startDynalite, TABLE } from "./support.ts";

const ROW = leaseRow({ owner: "worker-1", counter: 1 });
const NEXT = { ...ROW, counter: 2, checkpoint: "17" };

/** Time passes between calls only. */
let clock: VirtualClock;

beforeEach(() => {
  clock = startIdleClock();
});

/** A table before which `behave` stands; true from it means that it answered. `calls` are those that came. */
async function tableBehind(
  behave: (question: Parameters<Behaviour>[0], url: string) => boolean,
  deadlineMs = 4000,
) {
  const url = await startDynalite();
  const direct = leasesAt(url);
  await direct.open();
  const calls: string[] = [];
  const endpoint = await startStub((question) => {
    calls.push(question.operation);
    if (!behave(question, url)) forward(url, question);
  });
  return { table: leasesAt(endpoint, { deadlineMs }), direct, calls, url };
}

/** Lets the service do what was asked, and loses its answer. */
async function doAndLose(question: Parameters<Behaviour>[0], url: string): Promise<void> {
  const { incoming, body } = question;
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) {
    if (!["connection", "content-length", "host"].includes(name)) headers.set(name, String(value));
  }
  headers.set("host", String(incoming.headers.host));
  await (await fetch(url, { method: "POST", headers, body: new Uint8Array(body) })).arrayBuffer();
  incoming.socket.destroy();
}

/** What each change is, and how the table is before and after it. */
const CHANGES: readonly [
  string,
  string,
  typeof ROW | undefined,
  (table: DynamoLeaseTable, signal?: AbortSignal) => Promise<boolean>,
  typeof ROW | undefined,
][] = [
  ["an insertion", "PutItem", undefined, (table, signal) => table.insert(ROW, signal), ROW],
  ["a change", "UpdateItem", ROW, (table, signal) => table.replace(NEXT, 1, signal), NEXT],
  [
    "a removal",
    "DeleteItem",
    ROW,
    (table, signal) => table.remove(ROW.leaseKey, 1, signal),
    undefined,
  ],
];

describe("what passes", () => {
  it.each<[string, number, string]>([
    ["throttles", 400, "ProvisionedThroughputExceededException"],
    ["throttles", 400, "ThrottlingException"],
    ["throttles", 400, "RequestLimitExceeded"],
    ["transactions", 400, "TransactionConflictException"],
    ["failures", 500, "InternalServerError"],
    ["failures", 503, "ServiceUnavailable"],
  ])("is ridden out by every call: %s (%i %s)", async (_what, status, __type) => {
    let left = 0;
    const { table, calls } = await tableBehind(({ response }) => {
      if (left-- <= 0) return false;
      answer(response, status, {
        __type: `com.amazonaws.dynamodb.v20120810#${__type}`,
        message: "",
      });
      return true;
    });
    for (const call of [
      () => table.open(),
      () => table.insert(ROW),
      () => table.replace(NEXT, 1),
      () => table.list(),
      () => table.remove(ROW.leaseKey, 2),
    ]) {
      left = 2;
      calls.length = 0;
      expect(await call()).not.toBe(false);
      expect(calls).toHaveLength(3);
      expect(new Set(calls).size).toBe(1);
    }
  });

  it.each(CHANGES)(
    "and swallows or breaks %s is ridden out",
    async (_what, operation, before, change, after) => {
      let failures = 0;
      const { table, direct, calls } = await tableBehind((question) => {
        if (question.operation !== operation || failures >= 2) return false;
        failures += 1;
        // The first one is not answered for as long as an attempt may take.
        if (failures === 1) clock.advanceBy(1000);
        else question.incoming.socket.destroy();
        return true;
      });
      if (before !== undefined) await direct.insert(before);
      expect(await change(table)).toBe(true);
      expect(calls).toEqual([operation, operation, operation]);
      expect(await rowsOf(direct)).toEqual(after === undefined ? [] : [after]);
    },
  );

  it("ends with the deadline, within it, and with what the service said", async () => {
    const { table, calls } = await tableBehind(({ response }) => {
      answer(response, 400, { __type: "ThrottlingException", message: "Rate of requests exceeds" });
      return true;
    }, 1000);
    for (const call of [() => table.insert(ROW), () => table.list()]) {
      calls.length = 0;
      const begunMs = clock.monotonicMs();
      expect(await failureOf(call())).toMatchObject({
        name: "LimitExceededError",
        retryable: true,
        indeterminate: false,
        message: "Rate of requests exceeds",
      });
      expect(clock.monotonicMs() - begunMs).toBeLessThanOrEqual(1000);
      expect(calls.length).toBeGreaterThan(2);
    }
  });
});

describe("an answer that is lost", () => {
  it.each(CHANGES)(
    "of %s that was made is told as made",
    async (_what, operation, before, change, after) => {
      let lost = 0;
      const { table, direct, calls } = await tableBehind((question, url) => {
        if (question.operation !== operation || lost > 0) return false;
        lost += 1;
        void doAndLose(question, url);
        return true;
      });
      if (before !== undefined) await direct.insert(before);
      expect(await change(table)).toBe(true);
      expect(calls).toEqual([operation, operation, "GetItem"]);
      expect(await rowsOf(direct)).toEqual(after === undefined ? [] : [after]);
    },
  );

  it.each(CHANGES)(
    "of %s that another forestalled is told as not made",
    async (_what, operation, before, change) => {
      const others = { ...NEXT, owner: "worker-2" };
      let lost = 0;
      const { table, direct } = await tableBehind((question) => {
        if (question.operation !== operation || lost > 0) return false;
        lost += 1;
        // The other one is quicker, and this request comes to nothing.
        const quick = before === undefined ? direct.insert(others) : direct.replace(others, 1);
        void quick.then(() => question.incoming.socket.destroy());
        return true;
      });
      if (before !== undefined) await direct.insert(before);
      expect(await change(table)).toBe(false);
      expect(await rowsOf(direct)).toEqual([others]);
    },
  );

  it.each(CHANGES)(
    "of %s again and again leaves it open, and says so",
    async (_what, operation, before, change) => {
      const { table, direct } = await tableBehind(({ operation: asked, incoming }) => {
        if (asked === operation) incoming.socket.destroy();
        return asked === operation;
      }, 1000);
      if (before !== undefined) await direct.insert(before);
      const failure = await failureOf(change(table));
      expect(failure).toBeInstanceOf(RemoteUnavailableError);
      expect(failure).toMatchObject({ retryable: true, indeterminate: true });
    },
  );

  it.each(CHANGES)(
    "of %s that cannot be looked for afterwards leaves it open, and says so",
    async (_what, operation, before, change, after) => {
      let lost = 0;
      const { table, direct, calls } = await tableBehind((question, url) => {
        if (question.operation === "GetItem") {
          answer(question.response, 400, {
            __type: "AccessDeniedException",
            message: "no GetItem",
          });
          return true;
        }
        if (question.operation !== operation || lost > 0) return false;
        lost += 1;
        void doAndLose(question, url);
        return true;
      });
      if (before !== undefined) await direct.insert(before);
      const failure = await failureOf(change(table));
      expect(failure).toBeInstanceOf(RemoteUnavailableError);
      expect(failure).toMatchObject({ indeterminate: true });
      expect(calls).toEqual([operation, operation, "GetItem"]);
      expect(await rowsOf(direct)).toEqual(after === undefined ? [] : [after]);
    },
  );

  it("of a table that was asked for is found out by looking at it", async () => {
    const url = await startDynalite();
    let lost = 0;
    const endpoint = await startStub((question) => {
      if (question.operation === "CreateTable" && lost++ === 0) void doAndLose(question, url);
      else forward(url, question);
    });
    const table = leasesAt(endpoint);
    await table.open();
    expect(lost).toBe(1);
    expect(await table.insert(ROW)).toBe(true);
  });

  it("is not waited for by who calls it off", async () => {
    for (const [, operation, before, change] of CHANGES) {
      const { table, direct } = await tableBehind((question) => question.operation === operation);
      if (before !== undefined) await direct.insert(before);
      const controller = new AbortController();
      const called = failureOf(change(table, controller.signal));
      setTimeout(() => controller.abort(new Error("called off")), 50);
      expect(await called).toMatchObject({ message: "called off" });
    }
  });
});

describe("what does not pass", () => {
  const answered = async (status: number, __type: string, message = "said by the service") => {
    const { table, calls } = await tableBehind(({ response }) => {
      answer(response, status, { __type, message });
      return true;
    }, 1000);
    const failures: MillraceError[] = [];
    for (const call of [() => table.open(), () => table.insert(ROW), () => table.list()]) {
      failures.push((await failureOf(call())) as MillraceError);
    }
    return { failures, calls };
  };

  it.each([
    ["a policy that denies it", "AccessDeniedException", AccessDeniedError],
    ["an unknown access key", "UnrecognizedClientException", CredentialsError],
    ["a wrong secret", "InvalidSignatureException", CredentialsError],
    ["credentials that ended", "ExpiredTokenException", CredentialsError],
    ["no credentials", "MissingAuthenticationTokenException", CredentialsError],
  ])("is told at once: %s", async (_what, __type, Failure) => {
    const { failures, calls } = await answered(400, __type);
    for (const failure of failures) {
      expect(failure).toBeInstanceOf(Failure);
      expect(failure).toMatchObject({ retryable: false, indeterminate: false });
    }
    expect(calls).toEqual(["DescribeTable", "PutItem", "Scan"]);
  });

  it("is told when clocks stay apart", async () => {
    const message = "Signature expired: 20200101T000000Z is now earlier than 20261122T000000Z";
    const { failures } = await answered(400, "InvalidSignatureException", message);
    for (const failure of failures) expect(failure).toBeInstanceOf(ClockSkewError);
  });

  it("is told when there is no table, or no more", async () => {
    const url = await startDynalite();
    const table = leasesAt(url);
    for (const call of [
      () => table.list(),
      () => table.insert(ROW),
      () => table.replace(NEXT, 1),
      () => table.remove("a", 1),
      () => table.drop(),
    ]) {
      expect(await failureOf(call())).toBeInstanceOf(ResourceNotFoundError);
    }
  });

  it("is told when an endpoint is another service's", async () => {
    const page: Behaviour = ({ response }) => {
      response.writeHead(200, { "content-type": "text/html" });
      response.end("<!doctype html><title>A page</title>");
    };
    const other: Behaviour = ({ response }) => answer(response, 200, { ok: true });
    for (const url of [
      await startKinesalite(),
      (await startServe()).url,
      await startStub(page),
      await startStub(other),
    ]) {
      const table = leasesAt(url, { deadlineMs: 500 });
      for (const call of [() => table.open(), () => table.list()]) {
        const failure = await failureOf(call());
        expect(failure, url).toBeInstanceOf(WrongEndpointError);
        expect(String(failure)).toContain("is not DynamoDB");
      }
    }
  });

  it("is told in time when nobody is there", async () => {
    const table = leasesAt("http://127.0.0.1:1", { deadlineMs: 400 });
    for (const call of [() => table.open(), () => table.list(), () => table.replace(NEXT, 1)]) {
      const begunMs = clock.monotonicMs();
      expect(await failureOf(call())).toMatchObject({
        name: "RemoteUnavailableError",
        retryable: true,
        indeterminate: false,
      });
      expect(clock.monotonicMs() - begunMs).toBeLessThanOrEqual(400);
    }
  });

  it("is told when credentials cannot be had, without a secret", async () => {
    const url = await startDynalite();
    const credentials = () => Promise.reject(new Error("the vault is sealed"));
    const failure = await failureOf(leasesAt(url, { credentials }).open());
    expect(failure).toBeInstanceOf(CredentialsError);
    const table = leasesAt(url);
    await table.open();
    const shown = inspect([failure, table], { depth: Number.POSITIVE_INFINITY, showHidden: true });
    expect(shown).not.toContain(CREDENTIALS.secretAccessKey);
    expect(JSON.stringify(table)).not.toContain(CREDENTIALS.secretAccessKey);
  });
});

describe("clients and connections", () => {
  it.each([
    ["the aggregated one", DynamoDB],
    ["the bare one", DynamoDBClient],
  ])("of the caller's are used, and not destroyed: %s", async (_what, Client) => {
    const endpoint = await startDynalite();
    const client = new Client({ region: "us-east-1", endpoint, credentials: CREDENTIALS });
    endLater(() => client.destroy());
    for (let round = 0; round < 2; round++) {
      const table = leasesAt(endpoint, { client });
      await table.open();
      expect(await table.insert(leaseRow({ leaseKey: `shard-${round}` }))).toBe(true);
      table.close();
    }
  });

  it("are opened once after an opening that failed, whoever waited for that one", async () => {
    const endpoint = await startDynalite();
    await leasesAt(endpoint).open();
    const load = vi.spyOn(DYNAMODB, "load");
    endLater(() => load.mockRestore());
    let fail = (_reason: Error): void => undefined;
    load.mockImplementationOnce(
      () =>
        new Promise((_resolve, reject) => {
          fail = reject;
        }),
    );
    const table = leasesAt(endpoint);
    const lists = async (): Promise<unknown> => await table.list().catch(({ name }) => name);
    const calls = [lists()];
    fail(new Error("offline"));
    // One call after the other, at every step that the failure takes to whoever waits.
    await new Promise<void>((resolve) => {
      const callAgain = (): void => {
        if (calls.length < 20) queueMicrotask(callAgain);
        else resolve();
        calls.push(lists());
      };
      callAgain();
    });
    expect([...new Set((await Promise.all(calls)).map(String))]).toEqual(["NotSupportedError", ""]);
    expect(load).toHaveBeenCalledTimes(2);
  });

  it("that are closed end calls, now and later", async () => {
    const { table } = await tableBehind(() => true);
    const called = failureOf(table.list());
    await new Promise((resolve) => setTimeout(resolve, 50));
    table.close();
    table.close();
    expect(await called).toBeInstanceOf(EngineClosedError);
    expect(await failureOf(table.insert(ROW))).toBeInstanceOf(EngineClosedError);
    const unused = leasesAt("http://127.0.0.1:1");
    unused.close();
    expect(await failureOf(unused.open())).toBeInstanceOf(EngineClosedError);
  });

  it("ask for credentials when they are needed, and again when they end", async () => {
    let asked = 0;
    const credentials = async () => {
      asked += 1;
      return { ...CREDENTIALS, expiration: new Date(Date.now() + 1000) };
    };
    const table = leasesAt(await startDynalite(), { credentials });
    expect(asked).toBe(0);
    await table.open();
    await table.list();
    expect(asked).toBeGreaterThan(1);
  });

  it("read many pages of a table", async () => {
    const url = await startDynalite();
    const table = leasesAt(url);
    await table.open();
    const rows = Array.from({ length: 12 }, (_, i) =>
      leaseRow({
        leaseKey: `shardId-${String(i).padStart(12, "0")}`,
        state: `"${"x".repeat(99_998)}"`,
      }),
    );
    for (const row of rows) await table.insert(row);
    const { LastEvaluatedKey } = await clientAt(url).scan({ TableName: TABLE });
    expect(LastEvaluatedKey).toBeDefined();
    expect(await rowsOf(table)).toEqual(rows);
  });
});

describe("options", () => {
  const good = { tableName: TABLE, region: "us-east-1", credentials: CREDENTIALS };

  it.each<[string, unknown, string]>([
    ["none", undefined, "options"],
    ["an unknown one", { ...good, table: "a" }, "options.table"],
    ["no table", { ...good, tableName: undefined }, "tableName"],
    ["a short name", { ...good, tableName: "ab" }, "tableName"],
    ["a name with a blank", { ...good, tableName: "a table" }, "tableName"],
    ["no region", { ...good, region: undefined }, "region"],
    ["an endpoint that is no URL", { ...good, endpoint: "localhost" }, "endpoint"],
    ["a password in the endpoint", { ...good, endpoint: "http://a:pass@host" }, "endpoint"],
    ["no credentials", { ...good, credentials: undefined }, "credentials"],
    ["a client that is none", { tableName: TABLE, client: {} }, "client"],
    ["a client and a region", { ...good, client: { send: () => undefined } }, "region"],
    ["a handler that is none", { ...good, requestHandler: {} }, "requestHandler"],
    ["an unknown billing", { ...good, billing: "PROVISIONED" }, "billing"],
    ["a billing that is none", { ...good, billing: null }, "billing"],
    [
      "half a billing",
      { ...good, billing: { readCapacityUnits: 1 } },
      "billing.writeCapacityUnits",
    ],
    ["a short deadline", { ...good, deadlineMs: 99 }, "deadlineMs"],
    ["a deadline that is a text", { ...good, deadlineMs: "1000" }, "deadlineMs"],
    ["a long wait for the table", { ...good, tableDeadlineMs: 600_001 }, "tableDeadlineMs"],
  ])("are refused: %s", (_what, options, argument) => {
    let failure: unknown;
    try {
      dynamoLeases(options as DynamoLeasesOptions);
    } catch (error) {
      failure = error;
    }
    expect(failure).toBeInstanceOf(InvalidArgumentError);
    expect(failure).toMatchObject({ argument });
    const shown = inspect(failure, { depth: Number.POSITIVE_INFINITY, showHidden: true });
    expect(shown).not.toContain(CREDENTIALS.secretAccessKey);
    expect(shown).not.toContain("pass@");
  });
});
