import { describe, expect, it } from "vitest";
import { framePrincipal, ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import type { InputOf } from "../../src/model/shapes.ts";
import { formatSequenceNumber } from "../../src/sequence/sequence-number.ts";
import { consumerArn, streamArn } from "../../src/streams/arns.ts";
import type { OpenedSubscription } from "../../src/streams/subscriptions.ts";
import { failureOf } from "../support/failures.ts";
import { ResourceBench } from "../support/resources.ts";

const StreamARN = streamArn("clicks");
const ShardId = "shardId-000000000000";
type Position = InputOf<"SubscribeToShard">["StartingPosition"];

async function withConsumers(options = {}): Promise<ResourceBench> {
  const bench = await ResourceBench.open(options);
  await bench.createStream("clicks", { shards: 2 });
  await bench.pass(options === undefined ? 0 : 1000);
  for (const ConsumerName of ["a", "b"]) {
    await bench.call("RegisterStreamConsumer", { StreamARN, ConsumerName });
  }
  return bench;
}

function arnOf(bench: ResourceBench, name = "a"): string {
  const { documents } = bench.context;
  const { uid } = bench.context.catalogue.get("clicks");
  const document = documents.get<{ createdMs: number }>(`stream/${uid}/consumer/${name}`);
  return consumerArn("clicks", name, Math.floor((document?.createdMs ?? 0) / 1000));
}

function subscribe(
  bench: ResourceBench,
  change: Partial<InputOf<"SubscribeToShard">> = {},
  principal = ROOT_PRINCIPAL,
): Promise<OpenedSubscription> {
  return bench.subscriptions.open({
    ConsumerARN: arnOf(bench),
    ShardId,
    StartingPosition: { Type: "LATEST" },
    ...change,
    caller: { principal },
  });
}

function codeOfVerify(
  bench: ResourceBench,
  ticket: OpenedSubscription,
  principal: string = ROOT_PRINCIPAL,
): string {
  try {
    bench.subscriptions.verify(ticket, principal);
    return "none";
  } catch (error) {
    if (error instanceof Error && "code" in error) return String(error.code);
    throw error;
  }
}

describe("subscriptions", () => {
  it("are taken over after five seconds and not before", async () => {
    const bench = await withConsumers();
    const first = await subscribe(bench);
    await bench.pass(4999);
    const failure = await failureOf(subscribe(bench));
    expect(failure.code).toBe("ResourceInUseException");
    expect(failure.message).toBe(
      `Another active subscription exists for this consumer: ${arnOf(bench)} and shard ${ShardId} ` +
        "under account 000000000000.",
    );
    expect(failure.retryAfterMs).toBe(1);
    expect(bench.subscriptions.verify(first, ROOT_PRINCIPAL).remainingMs).toBe(300_000 - 4999);
    let ended = 0;
    bench.subscriptions.onEnd(first.id, () => ended++);
    const cancelled = bench.subscriptions.onEnd(first.id, () => ended++);
    cancelled();
    await bench.pass(1);
    const second = await subscribe(bench);
    expect(ended).toBe(1);
    expect(codeOfVerify(bench, first)).toBe("ResourceInUseException");
    expect(bench.subscriptions.verify(second, ROOT_PRINCIPAL)).toEqual({
      streamUid: bench.context.catalogue.get("clicks").uid,
      shardIndex: 0,
      consumerName: "a",
      remainingMs: 300_000,
    });
    // The failed call did not start the five seconds anew, the successful one did.
    expect((await failureOf(subscribe(bench))).code).toBe("ResourceInUseException");
  });

  it("of other consumers and other shards are none of its business", async () => {
    const bench = await withConsumers();
    const all = [
      await subscribe(bench),
      await subscribe(bench, { ConsumerARN: arnOf(bench, "b") }),
      await subscribe(bench, { ShardId: "shardId-000000000001" }),
    ];
    await bench.pass(6000);
    await subscribe(bench);
    const codes = all.map((one) => codeOfVerify(bench, one));
    expect(codes).toEqual(["ResourceInUseException", "none", "none"]);
  });

  it("are opened once by many calls at the same time", async () => {
    const bench = await withConsumers();
    const calls = Array.from({ length: 10 }, () => subscribe(bench));
    const settled = await Promise.allSettled(calls);
    expect(settled.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  it("end after five minutes, when they are closed, and with their consumer or stream", async () => {
    const bench = await withConsumers();
    const first = await subscribe(bench);
    await bench.pass(299_999);
    expect(codeOfVerify(bench, first)).toBe("none");
    await bench.pass(1);
    expect(codeOfVerify(bench, first)).toBe("ResourceNotFoundException");
    const second = await subscribe(bench);
    let ended = false;
    bench.subscriptions.onEnd(second.id, () => {
      ended = true;
    });
    bench.subscriptions.close(second.id);
    bench.subscriptions.close(second.id);
    expect(ended).toBe(true);
    expect(codeOfVerify(bench, second)).toBe("ResourceNotFoundException");
    // Closing does not shorten the five seconds.
    expect((await failureOf(subscribe(bench))).code).toBe("ResourceInUseException");
    await bench.pass(5000);
    const third = await subscribe(bench);
    const other = await subscribe(bench, { ConsumerARN: arnOf(bench, "b") });
    await bench.call("DeregisterStreamConsumer", { ConsumerARN: arnOf(bench) });
    expect(codeOfVerify(bench, third)).toBe("ResourceNotFoundException");
    await bench.pass(1000);
    await bench.call("RegisterStreamConsumer", { StreamARN, ConsumerName: "a" });
    expect(codeOfVerify(bench, third)).toBe("ResourceNotFoundException");
    await subscribe(bench);
    expect(codeOfVerify(bench, other)).toBe("none");
    await bench.context.catalogue.delete("clicks");
    expect(codeOfVerify(bench, other)).toBe("ResourceNotFoundException");
  });

  it("begin at each of the five positions", async () => {
    const bench = await withConsumers();
    const stream = bench.context.catalogue.get("clicks");
    const records = (data: string) => [
      { key: "k", hash: "0", data: new TextEncoder().encode(data) },
    ];
    const rows = [await bench.test.put(stream, records("one"))];
    await bench.pass(1000);
    const Timestamp = new Date(bench.test.platform.clock.nowMs());
    await bench.pass(1000);
    rows.push(await bench.test.put(stream, records("two")));
    const part = async (StartingPosition: Position) => {
      const { shardIndex, nextIndex } = await subscribe(bench, {
        StartingPosition,
        ShardId: shardOf,
      });
      await bench.pass(5000);
      const { records: found } = await bench.test.read(stream, shardIndex, nextIndex);
      return found.map(({ data }) => new TextDecoder().decode(data));
    };
    const [first] = rows[0] ?? [];
    const index = first?.shardIndex ?? 0;
    const shardOf = `shardId-00000000000${index}`;
    const whole = await bench.test.read(stream, index, 0);
    expect(whole.records).toHaveLength(2);
    const SequenceNumber = formatSequenceNumber({
      createdSeconds: stream.shards[index]?.createdSeconds ?? 0,
      sequenceIndex: whole.records[0]?.index ?? 0,
      arrivalSeconds: 0,
      shardIndex: index,
    });
    expect(await part({ Type: "TRIM_HORIZON" })).toEqual(["one", "two"]);
    expect(await part({ Type: "LATEST" })).toEqual([]);
    expect(await part({ Type: "AT_TIMESTAMP", Timestamp })).toEqual(["two"]);
    expect(await part({ Type: "AT_SEQUENCE_NUMBER", SequenceNumber })).toEqual(["one", "two"]);
    expect(await part({ Type: "AFTER_SEQUENCE_NUMBER", SequenceNumber })).toEqual(["two"]);
  });

  it("are refused for what does not fit together or is not there", async () => {
    const bench = await withConsumers();
    const future = new Date(bench.test.platform.clock.nowMs() + 1);
    const cases: [Partial<InputOf<"SubscribeToShard">>, string][] = [
      [{ StartingPosition: { Type: "AT_TIMESTAMP" } }, "InvalidArgumentException"],
      [
        { StartingPosition: { Type: "AT_TIMESTAMP", Timestamp: future } },
        "InvalidArgumentException",
      ],
      [{ StartingPosition: { Type: "AT_SEQUENCE_NUMBER" } }, "InvalidArgumentException"],
      [
        { StartingPosition: { Type: "AFTER_SEQUENCE_NUMBER", SequenceNumber: "1" } },
        "InvalidArgumentException",
      ],
      [{ ShardId: "shardId-000000000007" }, "ResourceNotFoundException"],
      [{ ConsumerARN: consumerArn("clicks", "a", 1) }, "ResourceNotFoundException"],
      [{ ConsumerARN: consumerArn("none", "a", 1) }, "ResourceNotFoundException"],
      [{ ConsumerARN: StreamARN }, "ResourceNotFoundException"],
    ];
    for (const [change, code] of cases) {
      expect((await failureOf(subscribe(bench, change))).code).toBe(code);
    }
    const checked = {
      ConsumerARN: arnOf(bench),
      ShardId,
      StartingPosition: { Type: "LATEST" },
    } as const;
    await bench.subscriptions.check({ ...checked, caller: { principal: ROOT_PRINCIPAL } });
    await subscribe(bench);
  });

  it("need the consumer to be ACTIVE", async () => {
    const bench = await withConsumers({ transitionMs: 1000 });
    const failure = await failureOf(subscribe(bench));
    expect(failure.code).toBe("ResourceInUseException");
    expect(failure.message).toContain("not ACTIVE, instead in state CREATING");
    await bench.pass(1000);
    const ticket = await subscribe(bench);
    await bench.call("DeregisterStreamConsumer", { ConsumerARN: arnOf(bench) });
    expect(codeOfVerify(bench, ticket)).toBe("ResourceNotFoundException");
    expect((await failureOf(subscribe(bench))).message).toContain("in state DELETING");
  });

  it("need an allow for strangers, and belong to who opened them", async () => {
    const bench = await withConsumers();
    const frame = framePrincipal("https://shop.example");
    expect((await failureOf(subscribe(bench, {}, frame))).code).toBe("AccessDeniedException");
    const ResourceARN = arnOf(bench);
    const Principal = { AWS: frame };
    const statement = {
      Effect: "Allow",
      Principal,
      Action: "kinesis:Subscribe*",
      Resource: ResourceARN,
    };
    await bench.call("PutResourcePolicy", {
      ResourceARN,
      Policy: JSON.stringify({ Version: "2012-10-17", Statement: statement }),
    });
    const ticket = await subscribe(bench, {}, frame);
    expect(codeOfVerify(bench, ticket, frame)).toBe("none");
    expect(codeOfVerify(bench, ticket, ROOT_PRINCIPAL)).toBe("ResourceNotFoundException");
  });

  it("have 2 MiB per second for each consumer and shard, over a take-over, with quotas only", async () => {
    const bench = await withConsumers({ quotas: "aws" });
    const nowMs = () => bench.test.platform.clock.monotonicMs();
    const one = await subscribe(bench);
    const other = await subscribe(bench, { ConsumerARN: arnOf(bench, "b") });
    bench.subscriptions.charge(one.id, 20 * 1024 * 1024, nowMs());
    expect(bench.subscriptions.admit(one.id, nowMs())).toBe(10_000);
    expect(bench.subscriptions.admit(other.id, nowMs())).toBe(0);
    await bench.pass(5000);
    const next = await subscribe(bench);
    expect(bench.subscriptions.admit(next.id, nowMs())).toBe(5000);
    const free = await withConsumers();
    const { id } = await subscribe(free);
    free.subscriptions.charge(id, 20 * 1024 * 1024, 0);
    expect(free.subscriptions.admit(id, 0)).toBe(0);
  });

  it("are one call per second under control quotas", async () => {
    const bench = await withConsumers({ controlQuotas: true });
    await subscribe(bench);
    const failure = await failureOf(subscribe(bench));
    expect([failure.code, failure.retryAfterMs]).toEqual(["LimitExceededException", 1000]);
    await bench.pass(1000);
    expect((await failureOf(subscribe(bench))).code).toBe("ResourceInUseException");
  });

  it("outlast a life of the engine", async () => {
    const bench = await withConsumers();
    const ticket = await subscribe(bench);
    const again = await bench.reopen();
    bench.subscriptions.follow(again.context);
    expect(codeOfVerify(bench, ticket)).toBe("none");
    expect((await failureOf(subscribe(bench))).code).toBe("ResourceInUseException");
    bench.subscriptions.clear();
    expect(codeOfVerify(bench, ticket)).toBe("ResourceNotFoundException");
    await subscribe(bench);
  });
});
