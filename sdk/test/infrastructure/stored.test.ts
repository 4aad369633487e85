/** `millrace export`: command lines, and stores that it reads and leaves as they are. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Millrace, open } from "millrace";
import { exportInfrastructure } from "millrace/infrastructure";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readCommand, UsageError } from "../../src/serve/arguments.ts";
import { exportStored } from "../../src/serve/export-stored.ts";
import { failureOf } from "../support.ts";
import { callerOf, fillAtRandom } from "./support.ts";

const FORMATS = ["cloudformation", "terraform"] as const;
const TIMEOUT_MS = 120_000;
/** The note about the records is there whatever the engine holds. */
const ALWAYS = /the streams begin empty/;

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-export-"));
});
afterEach(() => rm(directory, { recursive: true }));

function openHere(name: string): Promise<Millrace> {
  return open({ name, storage: "file", directory });
}

/** Every file and directory with its times, its mode and the hash of its bytes. */
async function fingerprint(): Promise<string[]> {
  const names = (await readdir(directory, { recursive: true })).sort();
  return await Promise.all(
    ["", ...names].map(async (name) => {
      const path = join(directory, name);
      const { mtimeMs, ctimeMs, mode, size } = await stat(path);
      const isFile = (mode & 0o170000) === 0o100000;
      const hash = isFile
        ? createHash("sha256")
            .update(await readFile(path))
            .digest("hex")
        : "";
      return [name, mtimeMs, ctimeMs, mode, size, hash].join(" ");
    }),
  );
}

function request(more: Partial<Parameters<typeof exportStored>[0]> = {}) {
  return { path: directory, format: "terraform", engineName: undefined, ...more } as const;
}

describe("the command line of an export", () => {
  it("says what is wanted", async () => {
    const line = "export --format terraform --out main.tf --name shop ./data";
    expect(await readCommand(line.split(" "))).toEqual({
      ...{ kind: "export", format: "terraform", out: "main.tf" },
      ...{ engineName: "shop", path: "./data" },
    });
    expect(await readCommand(["export", "data", "--format", "cloudformation"])).toMatchObject({
      ...{ format: "cloudformation", path: "data", out: undefined, engineName: undefined },
    });
  });

  it("is refused without a format, with another one, and without one directory", async () => {
    for (const line of [
      "export data",
      "export --format terraform",
      "export --format terraform a b",
    ]) {
      expect(await failureOf(readCommand(line.split(" ")))).toBeInstanceOf(UsageError);
    }
    await expect(readCommand(["export", "--format", "pulumi", "data"])).rejects.toMatchObject({
      argument: "--format",
    });
  });
});

describe("an export of a store", () => {
  it(
    "is what the engine itself exports, and leaves every file as it is",
    async () => {
      for (const seed of [11, 12, 13]) {
        const millrace = await openHere(`shop-${seed}`);
        await fillAtRandom(millrace, seed);
        for (const { name } of await millrace.streams.list()) {
          const stream = await millrace.streams.get(name);
          const data = crypto.getRandomValues(new Uint8Array(1000));
          await stream.putRecords(
            Array.from({ length: 50 }, (_, i) => ({ partitionKey: `${i}`, data })),
          );
        }
        const texts = await Promise.all(
          FORMATS.map((format) => exportInfrastructure(millrace, { format })),
        );
        await millrace.close();
        const before = await fingerprint();
        for (const [i, format] of FORMATS.entries()) {
          const engineName = `shop-${seed}`;
          const { text, notes } = await exportStored(request({ format, engineName }));
          expect(text).toBe(texts[i]);
          expect(notes[0]).toMatch(ALWAYS);
          expect(notes.join()).not.toMatch(/damaged/);
          const path = join(directory, `${engineName}.engine`);
          expect((await exportStored(request({ format, path }))).text).toBe(texts[i]);
        }
        expect(await fingerprint()).toEqual(before);
      }
      // The last engine opens again, with all that it had.
      const again = await openHere("shop-13");
      expect(await again.dataLoss()).toEqual([]);
      await again.close();
    },
    TIMEOUT_MS,
  );

  it(
    "reads past segments and a budget of another size",
    async () => {
      const millrace = await open({
        ...{ name: "shop", storage: "file", directory },
        memoryBudgetBytes: 64 * 1_048_576,
      });
      const stream = await millrace.streams.create("clicks", { shards: 3 });
      for (let i = 0; i < 40; i += 1) {
        await stream.putRecords(
          Array.from({ length: 10 }, (_, j) => ({
            partitionKey: `${i}-${j}`,
            data: crypto.getRandomValues(new Uint8Array(65_536)),
          })),
        );
      }
      await millrace.close();
      const { text } = await exportStored(request());
      expect(text).toMatch(/shard_count +=.3\n/);
      expect(await readdir(join(directory, "shop.engine", "segments"))).not.toEqual([]);
    },
    TIMEOUT_MS,
  );

  it("tells virtual time and the trail, and leaves out what is on its way out", async () => {
    const millrace = await open({
      ...{ name: "shop", storage: "file", directory },
      ...{ time: "virtual", transitionMs: 60_000 },
    });
    const call = callerOf(millrace);
    for (const name of ["clicks", "trail", "gone"]) await millrace.streams.create(name);
    await millrace.time.advance(86_400_000);
    const arn = "arn:aws:kinesis:us-east-1:000000000000:stream/clicks";
    for (const ConsumerName of ["app", "old"]) {
      await call("RegisterStreamConsumer", { StreamARN: arn, ConsumerName });
    }
    await millrace.time.advance(86_400_000);
    await call("DeregisterStreamConsumer", { StreamARN: arn, ConsumerName: "old" });
    await millrace.streams.delete("gone");
    await millrace.trail.start("trail");
    const now = new Date(await millrace.time.now()).toISOString();
    await millrace.close();
    const { text, notes } = await exportStored(request());
    expect(notes.slice(2)).toEqual([
      "the call trail into stream trail is not exported: AWS has CloudTrail for that.",
      `virtual time, which stood at ${now}, has no counterpart.`,
      "consumer old of stream clicks is not exported: it is being deregistered.",
      "stream gone is not exported: it is being deleted.",
    ]);
    expect(text).toContain('resource "aws_kinesis_stream_consumer" "clicks--app"');
    expect(text).not.toContain('"old"');
    expect(text).not.toContain('"gone"');
  });

  it("tells damage, and not that keys are out of reach", async () => {
    const millrace = await openHere("shop");
    const stream = await millrace.streams.create("clicks");
    await stream.startEncryption({ keyId: "alias/aws/kinesis" });
    await stream.putRecord({ partitionKey: "a", data: "secret" });
    await stream.configure({ durability: "relaxed" });
    await stream.putRecord({ partitionKey: "b", data: "more" });
    await millrace.close();
    expect((await exportStored(request())).notes.join()).not.toMatch(/damaged/);
    const wal = join(directory, "shop.engine", "wal");
    const last = (await readdir(wal)).sort().at(-1) ?? "";
    const bytes = await readFile(join(wal, last));
    bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
    await writeFile(join(wal, last), bytes);
    const { notes } = await exportStored(request());
    expect(notes.join("\n")).toMatch(/the store is damaged, and something may be missing: /);
  });

  it("is refused for an engine in use, none, several, another name, a file and no stream", async () => {
    const first = await openHere("first");
    await first.streams.create("clicks");
    const before = await fingerprint();
    expect(await failureOf(exportStored(request()))).toMatchObject({
      code: "EngineInUseException",
      argument: "path",
    });
    expect(await fingerprint()).toEqual(before);
    await first.close();
    await (await openHere("second")).close();
    expect(await failureOf(exportStored(request()))).toMatchObject({
      message: `${directory} holds several engines: name one of first, second with --name`,
    });
    const failure = await failureOf(exportStored(request({ engineName: "third" })));
    expect(failure).toBeInstanceOf(UsageError);
    expect(String(failure)).toMatch(/no engine "third"; it holds first, second/);
    expect(await failureOf(exportStored(request({ engineName: "second" })))).toMatchObject({
      code: "ResourceNotFoundException",
      message: 'the engine "second" has no stream to export',
    });
    const empty = join(directory, "empty");
    await mkdir(empty);
    await writeFile(join(empty, "log.mrx"), "MRX1");
    for (const path of [empty, join(directory, "nowhere")]) {
      expect(await failureOf(exportStored(request({ path })))).toMatchObject({ argument: "path" });
    }
    const path = join(empty, "log.mrx");
    expect(String(await failureOf(exportStored(request({ path }))))).toMatch(/no directory/);
    expect((await exportStored(request({ engineName: "first" }))).text).toContain('"clicks"');
  });
});
