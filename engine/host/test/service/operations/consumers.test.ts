import { describe, expect, it } from "vitest";
import { consumerArn, streamArn } from "../../../src/streams/arns.ts";
import { ResourceBench } from "../../support/resources.ts";

const StreamARN = streamArn("clicks");
const NOW = new Date(Date.UTC(2026, 0, 1));
const ARN = consumerArn("clicks", "app", NOW.getTime() / 1000);

async function withStream(options = {}): Promise<ResourceBench> {
  const bench = await ResourceBench.open(options);
  await bench.createStream();
  return bench;
}

function register(bench: ResourceBench, ConsumerName = "app") {
  return bench.call("RegisterStreamConsumer", { StreamARN, ConsumerName });
}

describe("consumers", () => {
  it("are registered, described and listed with every member", async () => {
    const bench = await withStream();
    const consumer = {
      ConsumerName: "app",
      ConsumerARN: ARN,
      ConsumerStatus: "ACTIVE",
      ConsumerCreationTimestamp: NOW,
    };
    expect(await register(bench)).toEqual({ Consumer: consumer });
    const ConsumerDescription = { ...consumer, StreamARN };
    for (const reference of [
      { ConsumerARN: ARN },
      { StreamARN, ConsumerName: "app" },
      { ConsumerARN: ARN, StreamARN, ConsumerName: "app" },
    ]) {
      expect(await bench.call("DescribeStreamConsumer", reference)).toEqual({
        ConsumerDescription,
      });
    }
    expect(await bench.call("ListStreamConsumers", { StreamARN })).toEqual({
      Consumers: [consumer],
    });
  });

  it("survive a restart", async () => {
    const bench = await withStream();
    await register(bench);
    const again = await bench.reopen();
    const { Consumers = [] } = await again.call("ListStreamConsumers", { StreamARN });
    expect(Consumers.map((one) => one.ConsumerARN)).toEqual([ARN]);
  });

  it("pass through CREATING and DELETING by the clock", async () => {
    const bench = await withStream({ transitionMs: 1000 });
    await bench.pass(1000);
    const { Consumer } = await register(bench);
    const status = async () =>
      (await bench.call("DescribeStreamConsumer", { ConsumerARN: Consumer.ConsumerARN }))
        .ConsumerDescription.ConsumerStatus;
    expect(Consumer.ConsumerStatus).toBe("CREATING");
    await bench.pass(999);
    expect(await status()).toBe("CREATING");
    await bench.pass(1);
    expect(await status()).toBe("ACTIVE");
    const reference = { ConsumerARN: Consumer.ConsumerARN };
    await bench.call("DeregisterStreamConsumer", reference);
    expect(await status()).toBe("DELETING");
    await bench.pass(999);
    // A second call changes nothing, least of all the time.
    await bench.call("DeregisterStreamConsumer", reference);
    expect(await bench.codeOf("RegisterStreamConsumer", { StreamARN, ConsumerName: "app" })).toBe(
      "ResourceInUseException",
    );
    await bench.pass(1);
    expect(await bench.codeOf("DescribeStreamConsumer", reference)).toBe(
      "ResourceNotFoundException",
    );
    expect(await bench.call("ListStreamConsumers", { StreamARN })).toEqual({ Consumers: [] });
  });

  it("are ACTIVE at once, whatever a clock that was set back says", async () => {
    const bench = await withStream();
    const { Consumer } = await register(bench);
    bench.test.platform.clock.jumpWall(-3_600_000);
    const { ConsumerDescription } = await bench.call("DescribeStreamConsumer", {
      ConsumerARN: Consumer.ConsumerARN,
    });
    expect(ConsumerDescription.ConsumerStatus).toBe("ACTIVE");
  });

  it("leave nothing behind for the next one of their name", async () => {
    for (const transitionMs of [0, 1000]) {
      const bench = await withStream({ transitionMs });
      await bench.pass(transitionMs);
      const Tags = { team: "a" };
      await bench.call("RegisterStreamConsumer", { StreamARN, ConsumerName: "app", Tags });
      await bench.call("DeregisterStreamConsumer", { StreamARN, ConsumerName: "app" });
      await bench.pass(transitionMs + 5000);
      const { Consumer } = await register(bench);
      const ResourceARN = Consumer.ConsumerARN;
      expect(await bench.call("ListTagsForResource", { ResourceARN })).toEqual({ Tags: [] });
      // The ARN of the one before names nobody any more.
      const before = { ConsumerARN: consumerArn("clicks", "app", NOW.getTime() / 1000) };
      expect(before.ConsumerARN).not.toBe(ResourceARN);
      expect(await bench.codeOf("DescribeStreamConsumer", before)).toBe(
        "ResourceNotFoundException",
      );
    }
  });

  it("are gone with their stream", async () => {
    const bench = await withStream();
    await register(bench);
    await bench.context.catalogue.delete("clicks");
    await bench.createStream();
    expect(await bench.call("ListStreamConsumers", { StreamARN })).toEqual({ Consumers: [] });
  });

  it("are 20 per stream, also when they are registered at once; 50 with On-demand Advantage", async () => {
    const bench = await withStream();
    const outcomes = await Promise.all(
      Array.from({ length: 25 }, (_, i) =>
        bench.codeOf("RegisterStreamConsumer", { StreamARN, ConsumerName: `c${i}` }),
      ),
    );
    expect(outcomes.filter((code) => code === "none")).toHaveLength(20);
    expect(outcomes.filter((code) => code === "LimitExceededException")).toHaveLength(5);
    await bench.context.log.change([
      bench.context.documents.putting("account", { commitment: { startedMs: 0 } }),
    ]);
    expect(await bench.codeOf("RegisterStreamConsumer", { StreamARN, ConsumerName: "x" })).toBe(
      "LimitExceededException",
    );
    await bench.createStream("wide", { mode: "ON_DEMAND" });
    const wide = streamArn("wide");
    for (let i = 0; i < 50; i++) {
      await bench.call("RegisterStreamConsumer", { StreamARN: wide, ConsumerName: `c${i}` });
    }
    expect(
      await bench.codeOf("RegisterStreamConsumer", { StreamARN: wide, ConsumerName: "x" }),
    ).toBe("LimitExceededException");
  });

  it("are CREATING five at a time under control quotas", async () => {
    const bench = await withStream({ transitionMs: 1000, controlQuotas: true });
    await bench.pass(1000);
    for (let i = 0; i < 5; i++) await register(bench, `c${i}`);
    const sixth = { StreamARN, ConsumerName: "c5" };
    expect(await bench.codeOf("RegisterStreamConsumer", sixth)).toBe("LimitExceededException");
    await bench.pass(1000);
    expect(await bench.codeOf("RegisterStreamConsumer", sixth)).toBe("none");
  });

  it("are listed in pages whose tokens last five minutes", async () => {
    const bench = await withStream();
    for (const name of ["d", "a", "c", "b", "e"]) await register(bench, name);
    const names: string[] = [];
    let NextToken: string | undefined;
    const sizes: number[] = [];
    do {
      const page = await bench.call("ListStreamConsumers", { StreamARN, MaxResults: 2, NextToken });
      names.push(...(page.Consumers ?? []).map(({ ConsumerName }) => ConsumerName));
      sizes.push(page.Consumers?.length ?? 0);
      NextToken = page.NextToken;
    } while (NextToken !== undefined);
    expect(names).toEqual(["a", "b", "c", "d", "e"]);
    expect(sizes).toEqual([2, 2, 1]);
    const first = await bench.call("ListStreamConsumers", { StreamARN, MaxResults: 2 });
    await bench.createStream("other");
    const ofOther = { StreamARN: streamArn("other"), NextToken: first.NextToken };
    expect(await bench.codeOf("ListStreamConsumers", ofOther)).toBe("InvalidArgumentException");
    await bench.pass(300_000);
    const second = { StreamARN, NextToken: first.NextToken };
    expect(await bench.codeOf("ListStreamConsumers", second)).toBe("none");
    await bench.pass(1);
    expect(await bench.codeOf("ListStreamConsumers", second)).toBe("ExpiredNextTokenException");
  });

  it("are those of the stream of a creation time", async () => {
    const bench = await withStream();
    await register(bench);
    const StreamCreationTimestamp = NOW;
    const listing = { StreamARN, StreamCreationTimestamp };
    expect((await bench.call("ListStreamConsumers", listing)).Consumers).toHaveLength(1);
    const other = { StreamARN, StreamCreationTimestamp: new Date(NOW.getTime() - 1000) };
    expect(await bench.codeOf("ListStreamConsumers", other)).toBe("ResourceNotFoundException");
    const both = { ...listing, NextToken: "x" };
    expect(await bench.codeOf("ListStreamConsumers", both)).toBe("InvalidArgumentException");
  });

  it("answer calls that name nothing, too little or two things", async () => {
    const bench = await withStream();
    await register(bench);
    const cases: [Parameters<typeof bench.call<"DescribeStreamConsumer">>[1], string][] = [
      [{}, "InvalidArgumentException"],
      [{ StreamARN }, "InvalidArgumentException"],
      [{ ConsumerName: "app" }, "InvalidArgumentException"],
      [{ ConsumerARN: ARN, ConsumerName: "other" }, "InvalidArgumentException"],
      [{ StreamARN, ConsumerName: "nobody" }, "ResourceNotFoundException"],
      [{ StreamARN: streamArn("none"), ConsumerName: "app" }, "ResourceNotFoundException"],
      [{ ConsumerARN: consumerArn("clicks", "app", 1) }, "ResourceNotFoundException"],
      [{ StreamId: "aaaaaaaaaaaaaaaaaaaa-bbb", ConsumerARN: ARN }, "InvalidArgumentException"],
    ];
    for (const [input, code] of cases) {
      expect(await bench.codeOf("DescribeStreamConsumer", input)).toBe(code);
      expect(await bench.codeOf("DeregisterStreamConsumer", input)).toBe(code);
    }
    expect(await bench.codeOf("RegisterStreamConsumer", { StreamARN, ConsumerName: "app" })).toBe(
      "ResourceInUseException",
    );
  });

  it("are not registered with a stream that is being created", async () => {
    const bench = await withStream({ transitionMs: 1000 });
    expect(await bench.codeOf("RegisterStreamConsumer", { StreamARN, ConsumerName: "app" })).toBe(
      "ResourceInUseException",
    );
  });
});
