/** How streams are kept: durability, and what gives way when storage is full. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  InvalidArgumentError,
  open,
  ResourceNotFoundError,
  StreamSpecMismatchError,
} from "millrace";
import { describe, expect, it } from "vitest";
import { failureOf, openEngine, readAll } from "./support.ts";

describe("how a stream is kept", () => {
  it("is strict and refuses what has no room, unless it is created otherwise", async () => {
    await using millrace = await openEngine();
    const usual = await millrace.streams.create("usual");
    expect(usual.description).toMatchObject({ durability: "strict", whenFull: "refuse-new" });
    const other = await millrace.streams.create("other", {
      durability: "relaxed",
      whenFull: "drop-oldest",
    });
    expect(other.description).toMatchObject({ durability: "relaxed", whenFull: "drop-oldest" });
    await other.putRecord({ partitionKey: "k", data: "kept" });
    expect(await readAll(other)).toHaveLength(1);
  });

  it("can be changed, and what is absent stays", async () => {
    await using millrace = await openEngine();
    const stream = await millrace.streams.create("clicks");
    expect(await stream.configure({ durability: "relaxed" })).toMatchObject({
      durability: "relaxed",
      whenFull: "refuse-new",
    });
    await stream.configure({ whenFull: "drop-oldest" });
    expect(stream.description).toMatchObject({ durability: "relaxed", whenFull: "drop-oldest" });
    expect(await stream.configure({})).toMatchObject({ durability: "relaxed" });
    expect(await stream.describe()).toMatchObject({ whenFull: "drop-oldest" });
  });

  it("is compared by ensure when it is named", async () => {
    await using millrace = await openEngine();
    await millrace.streams.create("clicks", { durability: "relaxed" });
    await millrace.streams.ensure("clicks");
    await millrace.streams.ensure("clicks", { durability: "relaxed", whenFull: "refuse-new" });
    for (const [argument, value, limit] of [
      ["durability", "strict", "relaxed"],
      ["whenFull", "drop-oldest", "refuse-new"],
    ] as const) {
      const failure = await failureOf(millrace.streams.ensure("clicks", { [argument]: value }));
      expect(failure).toBeInstanceOf(StreamSpecMismatchError);
      expect(failure).toMatchObject({ argument, value, limit });
    }
  });

  it("refuses what there is not, and a stream that there is not", async () => {
    await using millrace = await openEngine();
    const stream = await millrace.streams.create("clicks");
    for (const settings of [{ durability: "lax" }, { whenFull: "panic" }, { colour: "red" }]) {
      const failure = await failureOf(stream.configure(settings as never));
      expect(failure).toBeInstanceOf(InvalidArgumentError);
      const created = await failureOf(millrace.streams.create("other", settings as never));
      expect(created).toBeInstanceOf(InvalidArgumentError);
    }
    await millrace.streams.delete("clicks");
    const gone = await failureOf(stream.configure({ durability: "relaxed" }));
    expect(gone).toBeInstanceOf(ResourceNotFoundError);
  });

  it("stays over a restart", async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-keeping-"));
    const options = { name: "kept", storage: "file", directory } as const;
    const first = await open(options);
    const stream = await first.streams.create("clicks");
    await stream.configure({ durability: "relaxed", whenFull: "drop-oldest" });
    await first.close();
    const second = await open(options);
    expect((await second.streams.get("clicks")).description).toMatchObject({
      durability: "relaxed",
      whenFull: "drop-oldest",
    });
    await second.close();
    await rm(directory, { recursive: true });
  });
});
