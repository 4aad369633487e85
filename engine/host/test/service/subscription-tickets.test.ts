/** Subscriptions that outlive the leader that admitted them: their readers carry them along as tickets. */
import { describe, expect, it } from "vitest";
import { framePrincipal, ROOT_PRINCIPAL } from "../../src/access/principals.ts";
import type {
  EngineOptions,
  StreamDescription,
  SubscriptionTicket,
} from "../../src/service/engine-service.ts";
import { ApiEngine, callOf, turns } from "../support/api-calls.ts";
import { numberOf, someRecords } from "../support/engines.ts";
import { failureOf } from "../support/failures.ts";

/** Consumers of one stream, and the engine that leads at present. */
class Consumers {
  api: ApiEngine;
  readonly stream: StreamDescription;
  readonly arn: string;
  readonly #options: Partial<EngineOptions>;

  private constructor(
    api: ApiEngine,
    stream: StreamDescription,
    arn: string,
    options: Partial<EngineOptions>,
  ) {
    this.api = api;
    this.stream = stream;
    this.arn = arn;
    this.#options = options;
  }

  static async open(options: Partial<EngineOptions> = {}): Promise<Consumers> {
    const api = await ApiEngine.open(options);
    const stream = await api.engine.createStream("clicks", 2);
    const { Consumer } = await api.invoke("RegisterStreamConsumer", {
      ...{ StreamARN: stream.arn, ConsumerName: "app" },
    });
    return new Consumers(api, stream, Consumer.ConsumerARN, options);
  }

  subscribe(again = false, principal: string = ROOT_PRINCIPAL): Promise<SubscriptionTicket> {
    const input = {
      ...{ ConsumerARN: this.arn, ShardId: "shardId-000000000000" },
      StartingPosition: { Type: "TRIM_HORIZON" },
    } as const;
    const caller = { principal };
    return this.api.service.call(
      "openSubscription",
      { operation: "SubscribeToShard", input, caller },
      again,
    );
  }

  read(subscription: SubscriptionTicket, settings: { nextIndex?: number; waitMs?: number } = {}) {
    const { streamUid: _, nextIndex, principal } = subscription;
    const call = callOf("SubscribeToShard", principal);
    return this.api.read(this.stream, { nextIndex, ...settings, subscription, call });
  }

  async changeLeader(): Promise<void> {
    this.api = await ApiEngine.open(this.#options, this.api.platform.restart());
  }

  async pass(byMs: number): Promise<void> {
    await this.api.platform.clock.advance(byMs);
  }

  /** Puts numbered records that all go to the first shard. */
  put(first: number, count = 5, dataBytes = 100) {
    const records = someRecords(count, dataBytes, first);
    return this.api.engine.put(
      this.stream,
      records.map((record) => ({ ...record, explicitHashKey: 0n })),
    );
  }
}

describe("a subscription over changes of leader", () => {
  it("reads every record once and in order", async () => {
    const consumers = await Consumers.open();
    const ticket = await consumers.subscribe();
    const seen: number[] = [];
    let { nextIndex } = ticket;
    for (let leader = 0; leader < 20; leader++) {
      await consumers.put(leader * 5);
      const part = await consumers.read(ticket, { nextIndex, waitMs: 1000 });
      seen.push(...part.records.map(numberOf));
      nextIndex = part.nextIndex;
      await consumers.changeLeader();
    }
    const last = await consumers.read(ticket, { nextIndex });
    seen.push(...last.records.map(numberOf));
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i));
    await consumers.api.close();
  });

  it("is pushed what the next leader commits", async () => {
    const consumers = await Consumers.open();
    const ticket = await consumers.subscribe();
    await consumers.changeLeader();
    const waiting = consumers.read(ticket, { waitMs: 4900 });
    await turns();
    await consumers.put(50, 1);
    expect((await waiting).records.map(numberOf)).toEqual([50]);
    await consumers.api.close();
  });

  it("ends five minutes after it was opened, whoever leads", async () => {
    const consumers = await Consumers.open();
    const ticket = await consumers.subscribe();
    await consumers.pass(200_000);
    await consumers.changeLeader();
    await consumers.read(ticket);
    await consumers.pass(99_999);
    await consumers.read(ticket);
    await consumers.pass(1);
    const over = { code: "ResourceNotFoundException", argument: "subscription" };
    expect(await failureOf(consumers.read(ticket))).toMatchObject(over);
    await consumers.changeLeader();
    expect(await failureOf(consumers.read(ticket))).toMatchObject(over);
    await consumers.api.close();
  });

  it("stays with whoever took it over, whichever of both asks first", async () => {
    for (const youngFirst of [true, false]) {
      const consumers = await Consumers.open();
      const old = await consumers.subscribe();
      await consumers.pass(6000);
      const young = await consumers.subscribe();
      await consumers.changeLeader();
      if (youngFirst) await consumers.read(young);
      else await consumers.read(old);
      await consumers.read(young);
      const taken = await failureOf(consumers.read(old));
      expect(taken).toMatchObject({ code: "ResourceInUseException", retryable: false });
      await consumers.read(young);
      await consumers.api.close();
    }
  });

  it("is not taken over within five seconds under the next leader either", async () => {
    const consumers = await Consumers.open();
    const ticket = await consumers.subscribe();
    await consumers.changeLeader();
    await consumers.read(ticket);
    await consumers.pass(4000);
    expect((await failureOf(consumers.subscribe())).retryAfterMs).toBe(1000);
    await consumers.pass(1000);
    await consumers.subscribe();
    expect((await failureOf(consumers.read(ticket))).code).toBe("ResourceInUseException");
    await consumers.api.close();
  });

  it("that was closed while nobody led stays closed", async () => {
    const consumers = await Consumers.open();
    const ticket = await consumers.subscribe();
    await consumers.changeLeader();
    await consumers.api.service.call("closeSubscription", { id: ticket.id });
    expect((await failureOf(consumers.read(ticket))).code).toBe("ResourceNotFoundException");
    await consumers.api.close();
  });

  it("has 2 MiB per second there, too", async () => {
    const consumers = await Consumers.open({ quotas: "aws" });
    for (let i = 0; i < 6; i++) await consumers.put(i, 1, 1_048_000);
    const ticket = await consumers.subscribe();
    await consumers.changeLeader();
    let { nextIndex } = await consumers.read(ticket);
    for (let reads = 0; reads < 2; reads++) {
      nextIndex = (await consumers.read(ticket, { nextIndex }).catch(() => ({ nextIndex })))
        .nextIndex;
    }
    const refused = await failureOf(consumers.read(ticket, { nextIndex: 0 }));
    expect(refused.code).toBe("ProvisionedThroughputExceededException");
    await consumers.api.close();
  });

  it("has an id that no other leader gives", async () => {
    const consumers = await Consumers.open();
    const ids = new Set<number>();
    for (let i = 0; i < 20; i++) {
      const { id } = await consumers.subscribe();
      expect(Number.isSafeInteger(id)).toBe(true);
      ids.add(id);
      await consumers.changeLeader();
    }
    expect(ids.size).toBe(20);
    await consumers.api.close();
  });

  it("that is opened again replaces what the first call had opened", async () => {
    const consumers = await Consumers.open({ controlQuotas: true });
    const lost = await consumers.subscribe();
    const ticket = await consumers.subscribe(true);
    await consumers.read(ticket);
    expect((await failureOf(consumers.read(lost))).code).toBe("ResourceInUseException");
    await consumers.api.close();
  });

  it("of somebody else is not replaced by a call that is made again", async () => {
    const consumers = await Consumers.open();
    const frame = framePrincipal("https://shop.example");
    const Policy = JSON.stringify({
      Version: "2012-10-17",
      Statement: {
        ...{ Effect: "Allow", Principal: { AWS: frame }, Resource: consumers.arn },
        Action: "kinesis:SubscribeToShard",
      },
    });
    await consumers.api.invoke("PutResourcePolicy", { ResourceARN: consumers.arn, Policy });
    await consumers.subscribe(false, frame);
    expect((await failureOf(consumers.subscribe(true))).code).toBe("ResourceInUseException");
    await consumers.api.close();
  });
});

describe("a ticket that nobody was given", () => {
  it("is worth no more than a call of SubscribeToShard", async () => {
    const consumers = await Consumers.open();
    await consumers.put(0);
    const ticket = await consumers.subscribe();
    await consumers.changeLeader();
    const { api, stream } = consumers;
    const other = await api.engine.createStream("other");
    const frame = framePrincipal("https://shop.example");
    const cases: [Partial<SubscriptionTicket>, string][] = [
      [{ principal: frame }, "AccessDeniedException"],
      [{ consumerArn: ticket.consumerArn.replace("app", "none") }, "ResourceNotFoundException"],
      [{ consumerArn: `${ticket.consumerArn}9` }, "ResourceNotFoundException"],
      [{ consumerArn: stream.arn }, "ResourceNotFoundException"],
      [{ streamUid: other.uid }, "ResourceNotFoundException"],
      [{ shardIndex: 7 }, "ResourceNotFoundException"],
      [{ openedMs: ticket.openedMs - 300_000 }, "ResourceNotFoundException"],
      [{ openedMs: Number.NaN }, "InvalidArgumentException"],
      [{ id: 1.5 }, "InvalidArgumentException"],
    ];
    for (const [forged, code] of cases) {
      const failure = await failureOf(consumers.read({ ...ticket, id: 4711, ...forged }));
      expect([Object.keys(forged), failure.code]).toEqual([Object.keys(forged), code]);
    }
    // It reads the shard that it says, and no other.
    const wrong = { ...ticket, id: 4712, shardIndex: 1 };
    expect((await failureOf(consumers.read(wrong))).code).toBe("InvalidArgumentException");
    await consumers.pass(5000);
    await consumers.read(ticket);
    // Nor does it take over what is younger than five seconds, not even from the future.
    const young = await consumers.subscribe();
    const future = { ...ticket, id: 4713, openedMs: ticket.openedMs + 3_600_000 };
    expect((await failureOf(consumers.read(future))).code).toBe("ResourceInUseException");
    expect((await consumers.read(young)).records).toHaveLength(5);
    await api.close();
  });

  it("of another principal is nobody else's", async () => {
    const consumers = await Consumers.open();
    const ticket = await consumers.subscribe();
    const frame = framePrincipal("https://shop.example");
    const call = callOf("SubscribeToShard", frame);
    const { stream, api } = consumers;
    for (const subscription of [ticket, { ...ticket, principal: frame }]) {
      const stolen = await failureOf(api.read(stream, { subscription, call }));
      expect(stolen).toMatchObject({ code: "ResourceNotFoundException", argument: "subscription" });
    }
    await api.close();
  });
});
