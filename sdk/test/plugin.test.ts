import {
  API_VERSION,
  definePlugin,
  type Manifest,
  type Outcome,
  openTransform,
  PluginError,
  type RecordBatch,
  recordBatch,
  type Transform,
  type TransformContext,
} from "millrace/plugin";
import { describe, expect, it } from "vitest";
import { failureOf, openEngine } from "./support.ts";

const MANIFEST: Manifest<"transform"> = {
  id: "test/upper",
  version: "1.2.3",
  api: "1.0",
  kind: "transform",
  title: "Upper case",
};

const THREE = recordBatch([{ data: "a" }, { data: "b" }, { data: "c" }]);

function pluginOf(transform: Transform["transform"], close?: () => void) {
  return definePlugin(MANIFEST, () => (close === undefined ? { transform } : { transform, close }));
}

function upper(batch: RecordBatch): Outcome[] {
  return Array.from({ length: batch.length }, (_, i) => ({
    result: "Ok",
    data: batch.text(i).toUpperCase(),
  }));
}

describe("definePlugin", () => {
  it.each<[string, Partial<Record<keyof Manifest, unknown>>, string]>([
    ["an id without a scope", { id: "upper" }, "manifest.id"],
    ["an id in capitals", { id: "Test/Upper" }, "manifest.id"],
    ["no version", { version: undefined }, "manifest.version"],
    ["a version of two numbers", { version: "1.0" }, "manifest.version"],
    ["another major of the seam", { api: "2.0" }, "manifest.api"],
    ["a newer minor of the seam", { api: "1.1" }, "manifest.api"],
    ["a seam version of one number", { api: "1" }, "manifest.api"],
    ["a kind that this host does not run", { kind: "sink" }, "manifest.kind"],
    ["no title", { title: "" }, "manifest.title"],
  ])("refuses %s", (_what, change, argument) => {
    let thrown: unknown;
    try {
      definePlugin({ ...MANIFEST, ...change } as Manifest<"transform">, () => ({
        transform: upper,
      }));
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(PluginError);
    expect(thrown).toMatchObject({ argument, code: "PluginException" });
  });

  it("keeps a manifest that nobody changes afterwards", () => {
    const { manifest } = definePlugin(MANIFEST, () => ({ transform: upper }));
    expect(manifest).toEqual(MANIFEST);
    expect(Object.isFrozen(manifest)).toBe(true);
    expect(API_VERSION).toBe("1.0");
  });
});

describe("openTransform", () => {
  it("runs a transform and answers in the order of the records", async () => {
    const transform = openTransform(pluginOf(upper));
    expect(await transform.transform(THREE)).toEqual([
      { result: "Ok", data: "A" },
      { result: "Ok", data: "B" },
      { result: "Ok", data: "C" },
    ]);
    expect(await transform.transform(recordBatch([]))).toEqual([]);
  });

  it("hands the configuration to the plugin", async () => {
    const plugin = definePlugin(MANIFEST, ({ suffix }: { suffix: string }) => ({
      transform: (batch) =>
        Array.from({ length: batch.length }, (_, i) => ({
          result: "Ok" as const,
          data: batch.text(i) + suffix,
        })),
    }));
    const transform = openTransform(plugin, { suffix: "!" });
    expect((await transform.transform(THREE))[0]).toEqual({ result: "Ok", data: "a!" });
  });

  it("offers a stream, a time and a signal, the host's own where the caller gives none", async () => {
    const contexts: TransformContext[] = [];
    const transform = openTransform(
      pluginOf((batch, context) => {
        contexts.push(context);
        return upper(batch);
      }),
    );
    const { signal } = new AbortController();
    await transform.transform(THREE, { signal, stream: "clicks", now: () => 42 });
    await transform.transform(THREE);
    expect(contexts[0]).toMatchObject({ signal, stream: "clicks" });
    expect(contexts[0]?.now()).toBe(42);
    expect(contexts[1]).toMatchObject({ stream: "" });
    expect(contexts[1]?.signal.aborted).toBe(false);
    expect(contexts[1]?.now()).toBeGreaterThan(0);
  });

  it.each<[string, unknown]>([
    ["too few answers", [{ result: "Dropped" }]],
    ["too many answers", Array.from({ length: 4 }, () => ({ result: "Dropped" }))],
    ["no array", { result: "Ok", data: "x" }],
    ["nothing", undefined],
    ["a hole", [{ result: "Dropped" }, undefined, { result: "Dropped" }]],
    ["an unknown result", [{ result: "Dropped" }, { result: "Maybe" }, { result: "Dropped" }]],
    ["Ok without data", [{ result: "Dropped" }, { result: "Ok" }, { result: "Dropped" }]],
    [
      "Ok with an object",
      [{ result: "Ok", data: {} }, { result: "Dropped" }, { result: "Dropped" }],
    ],
    [
      "a failure without a message",
      [{ result: "ProcessingFailed", code: "x" }, ...upper(THREE)].slice(0, 3),
    ],
  ])("refuses a plugin that answers with %s", async (_what, answer) => {
    const transform = openTransform(pluginOf(() => answer as Outcome[]));
    const failure = await failureOf(transform.transform(THREE));
    expect(failure).toBeInstanceOf(PluginError);
    expect(failure).toMatchObject({ plugin: "test/upper@1.2.3" });
    expect(String(failure)).toContain("plugin test/upper@1.2.3");
  });

  it("wraps what a plugin throws, at once or later, with the plugin's name and the cause", async () => {
    const cause = new RangeError("out of it");
    const throwing: Transform["transform"][] = [
      () => {
        throw cause;
      },
      () => Promise.reject(cause),
    ];
    for (const transform of throwing) {
      const failure = await failureOf(openTransform(pluginOf(transform)).transform(THREE));
      expect(failure).toBeInstanceOf(PluginError);
      expect(failure).toMatchObject({ plugin: "test/upper@1.2.3", cause });
      expect(String(failure)).toContain("out of it");
    }
  });

  it("passes an abort on as what it is", async () => {
    const controller = new AbortController();
    const transform = openTransform(
      pluginOf((_batch, { signal }) => {
        controller.abort(new Error("stop"));
        return Promise.reject(signal.reason);
      }),
    );
    const { signal } = controller;
    expect(await failureOf(transform.transform(THREE, { signal }))).toMatchObject({
      message: "stop",
    });
    expect(await failureOf(transform.transform(THREE, { signal }))).toMatchObject({
      message: "stop",
    });
  });

  it("refuses a plugin that throws when it is set to work, or is none", () => {
    const throwing = definePlugin(MANIFEST, () => {
      throw new Error("bad configuration");
    });
    expect(() => openTransform(throwing)).toThrow(/test\/upper@1.2.3 threw.*bad configuration/);
    const empty = definePlugin(MANIFEST, () => ({}) as Transform);
    expect(() => openTransform(empty)).toThrow(PluginError);
    const stranger = {
      manifest: { ...MANIFEST, api: "2.0" as const },
      create: () => ({ transform: upper }),
    };
    expect(() => openTransform(stranger)).toThrow(/manifest\.api/);
  });

  it("closes the plugin once, and runs it no more", async () => {
    let closed = 0;
    const transform = openTransform(
      pluginOf(upper, () => {
        closed += 1;
      }),
    );
    await transform.close();
    await transform.close();
    expect(closed).toBe(1);
    expect(await failureOf(transform.transform(THREE))).toBeInstanceOf(PluginError);
  });

  it("takes batches as a stream gives them, with ids that stay the same", async () => {
    const { streams } = await openEngine();
    const stream = await streams.create("words", { shards: 2 });
    const words = Array.from({ length: 100 }, (_, i) => ({
      partitionKey: `${i}`,
      data: `word-${i}`,
    }));
    await stream.putRecords(words);
    const ids: string[][] = [];
    const transform = openTransform(
      pluginOf((batch) => {
        ids.push(Array.from({ length: batch.length }, (_, i) => batch.id(i)));
        return upper(batch);
      }),
    );
    for (let attempt = 0; attempt < 2; attempt++) {
      for await (const batch of stream.readBatches({ from: "TRIM_HORIZON", until: "end" })) {
        const outcomes = await transform.transform(batch, { stream: stream.name });
        const expected = [...batch].map((record) => ({
          result: "Ok",
          data: record.text().toUpperCase(),
        }));
        expect(outcomes).toEqual(expected);
      }
    }
    expect(ids[0]).toHaveLength(100);
    expect(new Set(ids[0]).size).toBe(100);
    // Each shard's records are in order, but which shard comes first is not promised.
    expect(new Set(ids[1])).toEqual(new Set(ids[0]));
  });
});

describe("recordBatch", () => {
  it("gives records by position in every form, and copies of their bytes", () => {
    const bytes = new TextEncoder().encode('{"n":1}');
    const batch = recordBatch([
      { data: bytes, partitionKey: "k", arrivalMs: 5, id: "first" },
      { data: "2" },
    ]);
    expect(batch.length).toBe(2);
    expect([batch.id(0), batch.id(1)]).toEqual(["first", "1"]);
    expect([batch.partitionKey(0), batch.partitionKey(1)]).toEqual(["k", ""]);
    expect([batch.arrivalMs(0), batch.arrivalMs(1)]).toEqual([5, 0]);
    expect(batch.json(0)).toEqual({ n: 1 });
    expect(batch.text(1)).toBe("2");
    expect(batch.bytes(0)).toEqual(bytes);
    expect(batch.bytes(0)).not.toBe(bytes);
    expect(() => batch.text(2)).toThrow(/no record 2/);
  });
});
