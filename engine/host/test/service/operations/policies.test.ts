import { describe, expect, it } from "vitest";
import { accessKeyPrincipal, framePrincipal } from "../../../src/access/principals.ts";
import { streamArn } from "../../../src/streams/arns.ts";
import { ResourceBench } from "../../support/resources.ts";

const ResourceARN = streamArn("clicks");
const FRAME = framePrincipal("https://shop.example");
const USER = accessKeyPrincipal("AKIA1");

async function withStream(options = {}): Promise<ResourceBench> {
  const bench = await ResourceBench.open(options);
  await bench.createStream();
  return bench;
}

function policy(statement: object, resource = ResourceARN): string {
  const whole = { Principal: { AWS: FRAME }, Effect: "Allow", Resource: resource, ...statement };
  return JSON.stringify({ Version: "2012-10-17", Statement: [whole] });
}

describe("resource policies", () => {
  it("are kept as they were given, also over a restart", async () => {
    const bench = await withStream();
    expect(await bench.call("GetResourcePolicy", { ResourceARN })).toEqual({ Policy: "{}" });
    const Policy = ` ${policy({ Action: "kinesis:ListTagsForStream" })}\n`;
    await bench.call("PutResourcePolicy", { ResourceARN, Policy });
    const again = await bench.reopen();
    expect(await again.call("GetResourcePolicy", { ResourceARN })).toEqual({ Policy });
    await again.call("DeleteResourcePolicy", { ResourceARN });
    expect(await again.call("GetResourcePolicy", { ResourceARN })).toEqual({ Policy: "{}" });
    expect(await again.codeOf("DeleteResourcePolicy", { ResourceARN })).toBe(
      "ResourceNotFoundException",
    );
  });

  it("decide about calls from the moment they are put until they are gone", async () => {
    const bench = await withStream();
    const listing = () => bench.codeOf("ListTagsForStream", { StreamName: "clicks" }, FRAME);
    expect(await listing()).toBe("AccessDeniedException");
    const Policy = policy({ Action: "kinesis:ListTags*" });
    await bench.call("PutResourcePolicy", { ResourceARN, Policy });
    expect(await listing()).toBe("none");
    expect(await bench.codeOf("ListTagsForResource", { ResourceARN }, FRAME)).toBe("none");
    const tagging = { StreamName: "clicks", Tags: { a: "" } };
    expect(await bench.codeOf("AddTagsToStream", tagging, FRAME)).toBe("AccessDeniedException");
    const deny = policy({ Effect: "Deny", Principal: "*", Action: "kinesis:ListTags*", Sid: "No" });
    await bench.call("PutResourcePolicy", { ResourceARN, Policy: deny });
    await expect(bench.call("ListTagsForStream", { StreamName: "clicks" })).rejects.toThrow(
      `User: arn:aws:iam::000000000000:root is not authorized to perform: kinesis:ListTagsForStream ` +
        `on resource: ${ResourceARN} with an explicit deny in a resource-based policy (statement No)`,
    );
    await bench.call("DeleteResourcePolicy", { ResourceARN });
    expect(await listing()).toBe("AccessDeniedException");
    expect(await bench.codeOf("ListTagsForStream", { StreamName: "clicks" }, USER)).toBe("none");
  });

  it("go with their stream", async () => {
    const bench = await withStream();
    await bench.call("PutResourcePolicy", { ResourceARN, Policy: policy({ Action: "kinesis:*" }) });
    await bench.context.catalogue.delete("clicks");
    await bench.createStream();
    expect(await bench.call("GetResourcePolicy", { ResourceARN })).toEqual({ Policy: "{}" });
  });

  it("protect consumers by themselves", async () => {
    const bench = await withStream();
    const { Consumer } = await bench.call("RegisterStreamConsumer", {
      StreamARN: ResourceARN,
      ConsumerName: "app",
    });
    const ConsumerARN = Consumer.ConsumerARN;
    const describing = () => bench.codeOf("DescribeStreamConsumer", { ConsumerARN }, FRAME);
    await bench.call("PutResourcePolicy", { ResourceARN, Policy: policy({ Action: "kinesis:*" }) });
    expect(await describing()).toBe("AccessDeniedException");
    const action = { Action: ["kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"] };
    await bench.call("PutResourcePolicy", {
      ResourceARN: ConsumerARN,
      Policy: policy(action, ConsumerARN),
    });
    expect(await describing()).toBe("none");
    await bench.call("DeregisterStreamConsumer", { ConsumerARN });
    await bench.pass(1000);
    const next = await bench.call("RegisterStreamConsumer", {
      StreamARN: ResourceARN,
      ConsumerName: "app",
    });
    const another = { ResourceARN: next.Consumer.ConsumerARN };
    expect(await bench.call("GetResourcePolicy", another)).toEqual({ Policy: "{}" });
  });

  it("are never a stranger's to see or change", async () => {
    const bench = await withStream();
    const Policy = policy({ Action: "kinesis:*" });
    await bench.call("PutResourcePolicy", { ResourceARN, Policy });
    expect(await bench.codeOf("GetResourcePolicy", { ResourceARN }, FRAME)).toBe(
      "AccessDeniedException",
    );
    expect(await bench.codeOf("PutResourcePolicy", { ResourceARN, Policy }, FRAME)).toBe(
      "AccessDeniedException",
    );
    expect(await bench.codeOf("DeleteResourcePolicy", { ResourceARN }, FRAME)).toBe(
      "AccessDeniedException",
    );
    expect(await bench.codeOf("GetResourcePolicy", { ResourceARN }, USER)).toBe("none");
  });

  it("are refused when they are malformed or of no resource", async () => {
    const bench = await withStream({ transitionMs: 1000 });
    const Policy = policy({ Action: "kinesis:PutRecord" });
    expect(await bench.codeOf("PutResourcePolicy", { ResourceARN, Policy })).toBe(
      "ResourceInUseException",
    );
    await bench.pass(1000);
    await expect(bench.call("PutResourcePolicy", { ResourceARN, Policy: "{}" })).rejects.toThrow(
      "The policy is malformed: Statement[0]: it must be an object.",
    );
    expect(await bench.codeOf("PutResourcePolicy", { ResourceARN, Policy: "" })).toBe(
      "InvalidArgumentException",
    );
    const none = { ResourceARN: streamArn("none") };
    expect(await bench.codeOf("PutResourcePolicy", { ...none, Policy })).toBe(
      "ResourceNotFoundException",
    );
    expect(await bench.codeOf("GetResourcePolicy", none)).toBe("ResourceNotFoundException");
    const odd = { ResourceARN: `${ResourceARN}/consumer/app` };
    expect(await bench.codeOf("GetResourcePolicy", odd)).toBe("InvalidArgumentException");
  });
});
