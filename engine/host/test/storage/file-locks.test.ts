/** Locks between processes: who holds one, whom it keeps out, and when a dead process's lock is free. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "chai";
import { StorageUnavailableError } from "../../src/errors/store-errors.ts";
import { FileLocks } from "../../src/platform/node-locks.ts";
import { nodePlatform } from "../../src/platform/node-platform.ts";
import { rejection } from "./log-store-contract.ts";

const LOCK = "millrace:shop:writer";
let directory = "";
let lockDirectory = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-locks-"));
  lockDirectory = join(directory, `${encodeURIComponent(LOCK)}.locks`);
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

function newest(): string {
  return join(lockDirectory, readdirSync(lockDirectory).sort().at(-1) ?? "");
}

/** Makes the present holder another process. */
function handTo(change: Record<string, unknown>): void {
  const holder: unknown = JSON.parse(readFileSync(newest(), "utf8"));
  writeFileSync(newest(), JSON.stringify(Object.assign({}, holder, change)));
}

describe("locks in files", () => {
  it("are held by one at a time, and free again after their release", async () => {
    const first = await new FileLocks(directory).tryAcquire(LOCK);
    assert.isDefined(first);
    assert.isUndefined(await new FileLocks(directory).tryAcquire(LOCK));
    assert.isDefined(await new FileLocks(directory).tryAcquire("another"));
    first.release();
    const second = await new FileLocks(directory).tryAcquire(LOCK);
    assert.isDefined(second);
    first.release();
    assert.isUndefined(await new FileLocks(directory).tryAcquire(LOCK));
    second.release();
    assert.lengthOf(readdirSync(lockDirectory), 1);
  });

  it("have one winner among many who try at once, time and again", async () => {
    for (let round = 0; round < 10; round++) {
      const tries = Array.from({ length: 12 }, () => new FileLocks(directory).tryAcquire(LOCK));
      const held = (await Promise.all(tries)).filter((lock) => lock !== undefined);
      assert.lengthOf(held, 1);
      held[0]?.release();
    }
  });

  it("are held by another process as long as it lives", async () => {
    const child = spawn("sleep", ["60"]);
    try {
      await new FileLocks(directory).tryAcquire(LOCK);
      const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8");
      handTo({ pid: child.pid, startTicks: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] });
      assert.isUndefined(await new FileLocks(directory).tryAcquire(LOCK));
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
      assert.isDefined(await new FileLocks(directory).tryAcquire(LOCK));
    } finally {
      child.kill("SIGKILL");
    }
  });

  const dead: Record<string, Record<string, unknown>> = {
    "a process that is gone": { pid: 4_194_304 },
    "an earlier process of the same number": { startTicks: "1" },
    "a process from before the system's restart": { boot: "another" },
  };
  for (const [whose, change] of Object.entries(dead)) {
    it(`are taken over from ${whose}`, async () => {
      await new FileLocks(directory).tryAcquire(LOCK);
      handTo(change);
      assert.isDefined(await new FileLocks(directory).tryAcquire(LOCK));
      assert.isUndefined(await new FileLocks(directory).tryAcquire(LOCK));
    });
  }

  it("are free when their file was torn, or names nobody", async () => {
    for (const text of ["", '{"pid":', "released\n", "7", "null"]) {
      const held = await new FileLocks(directory).tryAcquire(LOCK);
      assert.isDefined(held, text);
      writeFileSync(newest(), text);
    }
  });

  it("are nobody's to take while it cannot be read who holds them", async () => {
    await new FileLocks(directory).tryAcquire(LOCK);
    rmSync(newest());
    // What stands in for a file that the system does not let anybody read, root included.
    mkdirSync(join(lockDirectory, "0000000000000001.lock"));
    await rejection(new FileLocks(directory).tryAcquire(LOCK), StorageUnavailableError);
  });

  it("say where they cannot be taken", async () => {
    writeFileSync(join(directory, "file"), "");
    const locks = new FileLocks(join(directory, "file"));
    const error = await rejection(locks.tryAcquire(LOCK), StorageUnavailableError);
    assert.strictEqual(error.argument, "directory");
  });

  it("survive the deletion of their directory", async () => {
    const held = await nodePlatform({ dataDirectory: directory }).locks.tryAcquire(LOCK);
    rmSync(lockDirectory, { recursive: true });
    held?.release();
    assert.isDefined(await new FileLocks(directory).tryAcquire(LOCK));
  });
});
