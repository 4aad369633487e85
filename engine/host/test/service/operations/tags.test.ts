import { describe, expect, it } from "vitest";
import { streamArn } from "../../../src/streams/arns.ts";
import { ResourceBench } from "../../support/resources.ts";

const StreamName = "clicks";
const ResourceARN = streamArn(StreamName);

async function withStream(options = {}): Promise<ResourceBench> {
  const bench = await ResourceBench.open(options);
  await bench.createStream();
  return bench;
}

function numbered(count: number, first = 0): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${first + i}`, "v"]));
}

describe("tags", () => {
  it("are the same in both families, and outlast a restart", async () => {
    const bench = await withStream();
    await bench.call("AddTagsToStream", { StreamName, Tags: { team: "a", empty: "" } });
    await bench.call("TagResource", { ResourceARN, Tags: { team: "b", "Größe 1": "x@y:z" } });
    const Tags = [
      { Key: "Größe 1", Value: "x@y:z" },
      { Key: "empty", Value: "" },
      { Key: "team", Value: "b" },
    ];
    const again = await bench.reopen();
    expect(await again.call("ListTagsForStream", { StreamName })).toEqual({
      Tags,
      HasMoreTags: false,
    });
    expect(await again.call("ListTagsForResource", { ResourceARN })).toEqual({ Tags });
    await again.call("RemoveTagsFromStream", {
      StreamARN: ResourceARN,
      TagKeys: ["team", "nobody"],
    });
    await again.call("UntagResource", { ResourceARN, TagKeys: ["Größe 1"] });
    expect(await again.call("ListTagsForResource", { ResourceARN })).toEqual({ Tags: [Tags[1]] });
    await again.call("UntagResource", { ResourceARN, TagKeys: ["empty"] });
    expect(await again.call("ListTagsForResource", { ResourceARN })).toEqual({ Tags: [] });
  });

  it("are listed from a key on", async () => {
    const bench = await withStream();
    await bench.call("AddTagsToStream", { StreamName, Tags: { d: "4", a: "1", c: "3", b: "2" } });
    const first = await bench.call("ListTagsForStream", { StreamName, Limit: 3 });
    expect(first.Tags.map(({ Key }) => Key)).toEqual(["a", "b", "c"]);
    expect(first.HasMoreTags).toBe(true);
    const rest = { StreamName, Limit: 3, ExclusiveStartTagKey: "c" };
    expect(await bench.call("ListTagsForStream", rest)).toEqual({
      Tags: [{ Key: "d", Value: "4" }],
      HasMoreTags: false,
    });
    const between = { StreamName, ExclusiveStartTagKey: "bb" };
    expect((await bench.call("ListTagsForStream", between)).Tags.map(({ Key }) => Key)).toEqual([
      "c",
      "d",
    ]);
  });

  it("are 50 per resource, also when they are added at once", async () => {
    const bench = await withStream();
    await bench.call("AddTagsToStream", { StreamName, Tags: numbered(50) });
    await bench.call("AddTagsToStream", { StreamName, Tags: { k0: "new" } });
    await expect(bench.call("AddTagsToStream", { StreamName, Tags: { more: "" } })).rejects.toThrow(
      "Failed to add tags to stream clicks under account 000000000000 because a given stream cannot " +
        "have more than 50 tags associated with it.",
    );
    await bench.createStream("other");
    const codes = await Promise.all(
      [0, 30].map((first) =>
        bench.codeOf("AddTagsToStream", { StreamName: "other", Tags: numbered(30, first) }),
      ),
    );
    expect(codes).toEqual(["none", "InvalidArgumentException"]);
    const { Tags } = await bench.call("ListTagsForStream", { StreamName: "other" });
    expect(Tags).toHaveLength(30);
  });

  it("are refused by their characters and their prefix", async () => {
    const bench = await withStream();
    for (const Tags of [{ "a*": "" }, { a: "b#" }, { "a\n": "" }] as Record<string, string>[]) {
      await expect(bench.call("AddTagsToStream", { StreamName, Tags })).rejects.toThrow(
        "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, " +
          "_ . / = + - % @.",
      );
    }
    expect(await bench.codeOf("UntagResource", { ResourceARN, TagKeys: ["a*"] })).toBe(
      "InvalidArgumentException",
    );
    for (const key of ["aws:mine", "AWS:mine"]) {
      await expect(
        bench.call("TagResource", { ResourceARN, Tags: { [key]: "x" } }),
      ).rejects.toThrow(/reserved prefix aws:/);
    }
    expect((await bench.call("ListTagsForResource", { ResourceARN })).Tags).toEqual([]);
  });

  it("may be called like anything that objects have", async () => {
    const bench = await withStream();
    const Tags = JSON.parse('{"__proto__":"p","constructor":"c"}') as Record<string, string>;
    await bench.call("AddTagsToStream", { StreamName, Tags });
    const again = await bench.reopen();
    expect((await again.call("ListTagsForStream", { StreamName })).Tags).toEqual([
      { Key: "__proto__", Value: "p" },
      { Key: "constructor", Value: "c" },
    ]);
  });

  it("are kept of consumers and channels, too", async () => {
    const bench = await withStream({ transitionMs: 1000 });
    await bench.createStream("wide", { mode: "ON_DEMAND" });
    await bench.pass(1000);
    const { Consumer } = await bench.call("RegisterStreamConsumer", {
      StreamARN: ResourceARN,
      ConsumerName: "app",
      Tags: { team: "a" },
    });
    const arn = { ResourceARN: Consumer.ConsumerARN };
    await bench.call("TagResource", { ...arn, Tags: { stage: "test" } });
    expect((await bench.call("ListTagsForResource", arn)).Tags).toEqual([
      { Key: "stage", Value: "test" },
      { Key: "team", Value: "a" },
    ]);
    expect((await bench.call("ListTagsForResource", { ResourceARN })).Tags).toEqual([]);
  });

  it("wait until the stream is ACTIVE, and need one that there is", async () => {
    const bench = await withStream({ transitionMs: 1000 });
    const Tags = { a: "" };
    const TagKeys = ["a"];
    expect(await bench.codeOf("AddTagsToStream", { StreamName, Tags })).toBe(
      "ResourceInUseException",
    );
    expect(await bench.codeOf("RemoveTagsFromStream", { StreamName, TagKeys })).toBe(
      "ResourceInUseException",
    );
    expect(await bench.codeOf("TagResource", { ResourceARN, Tags })).toBe("ResourceInUseException");
    expect(await bench.codeOf("UntagResource", { ResourceARN, TagKeys })).toBe(
      "ResourceInUseException",
    );
    expect(await bench.codeOf("ListTagsForStream", { StreamName })).toBe("none");
    const none = { ResourceARN: streamArn("none") };
    expect(await bench.codeOf("TagResource", { ...none, Tags })).toBe("ResourceNotFoundException");
    expect(await bench.codeOf("ListTagsForResource", none)).toBe("ResourceNotFoundException");
    expect(await bench.codeOf("ListTagsForStream", {})).toBe("InvalidArgumentException");
  });
});
