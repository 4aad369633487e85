/** The file store: its contract, what a dead process leaves behind, and what the file system refuses. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "chai";
import { UnsupportedFormatError } from "../../src/errors/engine-errors.ts";
import {
  FrameExistsError,
  OutcomeUnknownError,
  StorageUnavailableError,
  StoreFailedError,
  StoreFullError,
} from "../../src/errors/store-errors.ts";
import type { LogStore } from "../../src/storage/log-store.ts";
import { FileLogStore } from "../../src/storage/node-file-store.ts";
import { notRead, notWritten } from "../../src/storage/node-files.ts";
import { logStoreContract, noise, rejection } from "./log-store-contract.ts";

const directories: string[] = [];

function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "millrace-store-"));
  directories.push(directory);
  return directory;
}

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

logStoreContract("files", async () => {
  const directory = join(newDirectory(), "not", "there");
  const opened: LogStore[] = [];
  const openAgain = async (): Promise<LogStore> => {
    const store = await FileLogStore.open(directory);
    opened.push(store);
    return store;
  };
  return {
    store: await openAgain(),
    openAgain,
    dispose: async () => {
      for (const store of opened) await store.close();
    },
  };
});

describe("the file store", () => {
  it("leaves nothing but whole files, and says what it holds", async () => {
    const directory = newDirectory();
    const store = await FileLogStore.open(directory);
    await store.appendFrame(12, noise(100), "strict");
    await store.addSegments([
      { key: [1, 2, 3, 1_700_000_000_000.5, 5, 6], image: noise(9).buffer },
    ]);
    assert.deepEqual(readdirSync(join(directory, "wal")), ["0000000000000012.frame"]);
    assert.deepEqual(readdirSync(join(directory, "segments")), [
      "1_2_3_1700000000000.5_5_6.segment",
    ]);
    assert.deepEqual(await store.segmentKeys(), [[1, 2, 3, 1_700_000_000_000.5, 5, 6]]);
    const usage = await store.usage();
    assert.isTrue(usage.persistent);
    assert.strictEqual(usage.usageBytes, 109);
    assert.isAbove(usage.quotaBytes ?? 0, 109);
  });

  it("ignores what a dead process left unfinished, and deletes it when it is opened", async () => {
    const directory = newDirectory();
    await (await FileLogStore.open(directory)).close();
    const left = join(directory, "wal", "0000000000000001.frame.77-1.tmp");
    writeFileSync(left, noise(50));
    writeFileSync(join(directory, "layout.json.77-2.tmp"), noise(5));
    const store = await FileLogStore.open(directory);
    assert.deepEqual(await store.frameNumbers(), []);
    assert.deepEqual(readdirSync(join(directory, "wal")), []);
    assert.deepEqual(readdirSync(directory).sort(), ["layout.json", "segments", "wal"]);
    await store.appendFrame(1, noise(10), "strict");
  });

  it("ignores files that are none of its own", async () => {
    const directory = newDirectory();
    const store = await FileLogStore.open(directory);
    for (const name of ["notes.txt", "x.frame", "1_2_3.segment", "1_2_3_4_5_e.segment"]) {
      writeFileSync(join(directory, "wal", name), "");
      writeFileSync(join(directory, "segments", name), "");
    }
    assert.deepEqual(await store.frameNumbers(), []);
    assert.deepEqual(await store.segmentKeys(), []);
  });

  it("takes nothing back that another writer has when a segment of several exists", async () => {
    const directory = newDirectory();
    const store = await FileLogStore.open(directory);
    const write = (ordinal: number) => ({
      key: [1, ordinal, 0, 0, 0, 1] as const,
      image: noise(10).buffer,
    });
    await store.addSegments([write(2)]);
    await rejection(store.addSegments([write(1), write(2), write(3)]), FrameExistsError);
    assert.deepEqual(readdirSync(join(directory, "segments")), ["1_2_0_0_0_1.segment"]);
  });

  it("serves a file that was cut as it is: the frame's own hash tells", async () => {
    const directory = newDirectory();
    const store = await FileLogStore.open(directory);
    await store.appendFrame(1, noise(100), "strict");
    truncateSync(join(directory, "wal", "0000000000000001.frame"), 40);
    assert.strictEqual((await store.readFrame(1))?.byteLength, 40);
  });

  it("does not know what became of a write when its directory is gone, and starts empty anew", async () => {
    const directory = newDirectory();
    const store = await FileLogStore.open(directory);
    await store.appendFrame(1, noise(10), "strict");
    rmSync(join(directory, "wal"), { recursive: true });
    await rejection(store.appendFrame(2, noise(10), "strict"), OutcomeUnknownError);
    await rejection(store.frameNumbers(), OutcomeUnknownError);
    await rejection(store.usage(), OutcomeUnknownError);
    await store.reopen();
    assert.strictEqual(await store.lastFrameNumber(), 0);
  });

  it("tells when all it held was deleted while it was closed", async () => {
    const directory = newDirectory();
    assert.isUndefined((await FileLogStore.open(directory)).lossAtOpening);
    assert.isUndefined((await FileLogStore.open(directory)).lossAtOpening);
    for (const part of ["wal", "segments"]) rmSync(join(directory, part), { recursive: true });
    assert.include((await FileLogStore.open(directory)).lossAtOpening, directory);
  });

  it("tells when its WAL was deleted, whether there are segments or not", async () => {
    const directory = newDirectory();
    await (await FileLogStore.open(directory)).close();
    rmSync(join(directory, "wal"), { recursive: true });
    const { lossAtOpening } = await FileLogStore.open(directory);
    assert.include(lossAtOpening, join(directory, "wal"));
    assert.isUndefined((await FileLogStore.open(directory)).lossAtOpening);
  });

  it("refuses a newer layout, and a place that is no directory", async () => {
    const directory = newDirectory();
    mkdirSync(join(directory, "newer"));
    writeFileSync(join(directory, "newer", "layout.json"), '{"layout":2}');
    const newer = await rejection(
      FileLogStore.open(join(directory, "newer")),
      UnsupportedFormatError,
    );
    assert.strictEqual(newer.value, "2");
    writeFileSync(join(directory, "file"), "");
    const error = await rejection(
      FileLogStore.open(join(directory, "file")),
      StorageUnavailableError,
    );
    assert.strictEqual(error.argument, "directory");
  });

  it("fails for certain where it cannot write", async () => {
    const directory = newDirectory();
    const store = await FileLogStore.open(directory);
    rmSync(join(directory, "wal"), { recursive: true });
    writeFileSync(join(directory, "wal"), "no directory");
    await rejection(store.appendFrame(1, noise(10), "strict"), StoreFailedError);
    await rejection(store.readFrame(1), StoreFailedError);
    await rejection(store.deleteFrames([1]), StoreFailedError);
    rmSync(join(directory, "wal"));
    await store.reopen();
    await store.appendFrame(1, noise(10), "strict");
  });
});

describe("errors of the file system", () => {
  const failed = (code: string): Error => Object.assign(new Error(`${code}: so it is`), { code });

  it("say what became of a write", () => {
    assert.instanceOf(notWritten("adding", failed("EEXIST")), FrameExistsError);
    assert.instanceOf(notWritten("adding", failed("ENOSPC")), StoreFullError);
    assert.instanceOf(notWritten("adding", failed("EDQUOT")), StoreFullError);
    assert.instanceOf(notWritten("adding", failed("ENOENT")), OutcomeUnknownError);
    assert.instanceOf(notWritten("adding", failed("EIO")), StoreFailedError);
    assert.include(notWritten("adding 7", "no error").message, "adding 7: no error");
  });

  it("are none of a write's when a read meets them", () => {
    assert.instanceOf(notRead("reading", failed("EIO")), StoreFailedError);
    assert.instanceOf(notRead("reading", failed("ENOSPC")), StoreFailedError);
    assert.instanceOf(notRead("reading", failed("ENOENT")), OutcomeUnknownError);
  });
});
