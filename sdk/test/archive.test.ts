/** Export and import through the SDK, over file stores; and what the command `check` finds. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkStoredLogs } from "@millrace/engine/local";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { importLog, type Millrace, open } from "../src/index.ts";
import { readCommand } from "../src/serve/arguments.ts";
import { describeCheck } from "../src/serve/check-report.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-archive-"));
});
afterEach(() => rm(directory, { recursive: true }));

const fileStore = (): { storage: "file"; directory: string } => ({ storage: "file", directory });

async function written(): Promise<Millrace> {
  const millrace = await open({ name: "from", ...fileStore() });
  const stream = await millrace.streams.ensure("clicks", { shards: 2 });
  const records = Array.from({ length: 200 }, (_, i) => ({
    partitionKey: `key-${i}`,
    data: `value ${i} ${"x".repeat(5000)}`,
  }));
  await stream.putRecords(records);
  return millrace;
}

async function bytesOf(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(
    await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );
}

async function valuesOf(millrace: Millrace): Promise<string[]> {
  const stream = await millrace.streams.get("clicks");
  const values: string[] = [];
  for await (const record of stream.read({ from: "TRIM_HORIZON", until: "end" })) {
    values.push(new TextDecoder().decode(record.data).slice(0, 9).trim());
  }
  return values.sort();
}

describe("export and import", () => {
  it("carry a log into another engine, from a Blob or a stream", async () => {
    const millrace = await written();
    const file = await bytesOf(millrace.export());
    const report = await importLog("blob", new Blob([file]), fileStore());
    expect(report.byteLength).toBeGreaterThan(1_000_000);
    await importLog("stream", millrace.export(), fileStore());
    const before = await valuesOf(millrace);
    expect(before).toHaveLength(200);
    await millrace.close();
    for (const name of ["blob", "stream"]) {
      const copy = await open({ name, ...fileStore() });
      expect(await valuesOf(copy)).toEqual(before);
      expect(await copy.check()).toMatchObject({ records: 200, damage: [] });
      expect(await copy.dataLoss()).toEqual([]);
      await copy.close();
    }
  });

  it("refuse what is no export, or damaged, and names that are taken; nothing is left of it", async () => {
    const millrace = await written();
    const file = await bytesOf(millrace.export());
    await expect(importLog("from", new Blob([file]), fileStore())).rejects.toMatchObject({
      code: "EngineInUseException",
    });
    await millrace.close();
    await expect(importLog("from", new Blob([file]), fileStore())).rejects.toMatchObject({
      code: "EngineExistsException",
    });
    await expect(importLog("text", new Blob(["hello"]), fileStore())).rejects.toMatchObject({
      code: "InvalidArgumentException",
      argument: "source",
    });
    const cut = file.slice(0, file.byteLength - 100);
    await expect(importLog("cut", new Blob([cut]), fileStore())).rejects.toMatchObject({
      argument: "source",
    });
    expect(await readdir(join(directory, "cut.engine", "wal"))).toEqual([]);
    expect(await readdir(join(directory, "cut.engine", "segments"))).toEqual([]);
    const again = await open({ name: "cut", ...fileStore() });
    expect(await again.dataLoss()).toEqual([]);
    await again.close();
  });

  it("end when the application stops reading or writing", async () => {
    const millrace = await written();
    const reader = millrace.export().getReader();
    await reader.read();
    await reader.cancel();
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    const source = millrace.export();
    await expect(
      importLog("late", source, { ...fileStore(), signal: controller.signal }),
    ).rejects.toThrow("enough");
    await millrace.close();
  });

  it("is called off although its source gives nothing, and leaves nothing", async () => {
    const controller = new AbortController();
    const silent = new ReadableStream<Uint8Array>(
      {
        pull: () => {
          setTimeout(() => controller.abort(new Error("enough")), 50);
          return new Promise(() => undefined);
        },
        cancel: () => new Promise(() => undefined),
      },
      // It is asked only once the import reads it.
      { highWaterMark: 0 },
    );
    const importing = importLog("silent", silent, { ...fileStore(), signal: controller.signal });
    await expect(importing).rejects.toThrow("enough");
    const again = await open({ name: "silent", ...fileStore() });
    expect(await again.dataLoss()).toEqual([]);
    await again.close();
  }, 5000);

  it("of an engine in memory fails with a reason", async () => {
    const millrace = await open({ name: "memory", storage: "memory" });
    await expect(bytesOf(millrace.export())).rejects.toMatchObject({ argument: "storage" });
    await millrace.close();
    await expect(importLog("memory", new Blob(["x"]), { storage: "memory" })).rejects.toMatchObject(
      {
        argument: "storage",
      },
    );
  });
});

describe("millrace check", () => {
  it("reads its path", async () => {
    expect(await readCommand(["check", "a.mrx"])).toEqual({ kind: "check", path: "a.mrx" });
    await expect(readCommand(["check"])).rejects.toThrow(/needs the path/);
    await expect(readCommand(["check", "a", "b"])).rejects.toThrow(/one path/);
  });

  it("finds whole stores and exports whole, and changes nothing", async () => {
    const millrace = await written();
    const path = join(directory, "log.mrx");
    await writeFile(path, await bytesOf(millrace.export()));
    await millrace.close();
    const names = await readdir(join(directory, "from.engine", "wal"));
    for (const [where, kind] of [
      [directory, "store"],
      [join(directory, "from.engine"), "store"],
      [path, "archive"],
    ] as const) {
      const [check, ...others] = await checkStoredLogs(where);
      expect(others).toEqual([]);
      expect(check).toMatchObject({ kind, report: { records: 200, damage: [] } });
      if (check !== undefined)
        expect(describeCheck(check)).toMatch(/200 records in .*: no damage\n$/);
    }
    expect(await readdir(join(directory, "from.engine", "wal"))).toEqual(names);
  });

  it("prints every damage", async () => {
    const millrace = await written();
    const file = await bytesOf(millrace.export());
    await millrace.close();
    const segments = join(directory, "from.engine", "segments");
    const [first = "", second = ""] = await readdir(segments);
    const bytes = await readFile(join(segments, first));
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    await writeFile(join(segments, first), bytes);
    await rm(join(segments, second));
    const [check] = await checkStoredLogs(directory);
    expect(check?.report.damage).toHaveLength(2);
    if (check !== undefined) expect(describeCheck(check).split("\n")).toHaveLength(4);
    const path = join(directory, "damaged.mrx");
    file[file.byteLength >> 1] = (file[file.byteLength >> 1] ?? 0) ^ 1;
    await writeFile(path, file);
    const [archive] = await checkStoredLogs(path);
    expect(archive?.report.damage.length).toBeGreaterThan(0);
    await expect(checkStoredLogs(join(directory, "none"))).rejects.toMatchObject({
      argument: "path",
    });
    await expect(checkStoredLogs(segments)).rejects.toMatchObject({ argument: "path" });
  });
});
