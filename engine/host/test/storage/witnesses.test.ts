/** Places for witnesses: what was written last is read, whole, whatever went wrong with the next writing. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileHandleWitnesses } from "../../src/platform/browser-witness.ts";
import type { FileHandle } from "../../src/platform/handle-files.ts";
import { nodePlatform } from "../../src/platform/node-platform.ts";
import { FileWitnesses } from "../../src/platform/node-witness.ts";
import type { Witnesses } from "../../src/platform/platform.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { VirtualWitnesses } from "../../src/platform/virtual-witness.ts";

/** Files with exclusive handles, as the origin private file system has them. */
class HandleFiles {
  readonly files = new Map<string, Uint8Array>();
  /** Bytes that the next writing puts down before the power goes. */
  cutAfter: number | undefined;
  /** Names of the files that were forced to the disk, as often as they were. */
  readonly flushed: string[] = [];
  #open = new Set<string>();

  async open(name: string, create = true): Promise<FileHandle> {
    if (!create && !this.files.has(name)) throw new DOMException("none", "NotFoundError");
    if (this.#open.has(name)) throw new DOMException("taken", "NoModificationAllowedError");
    this.#open.add(name);
    return {
      read: (into, { at }) => {
        const bytes = (this.files.get(name) ?? new Uint8Array(0)).subarray(
          at,
          at + into.byteLength,
        );
        into.set(bytes);
        return bytes.byteLength;
      },
      write: (bytes, { at }) => {
        const before = this.files.get(name) ?? new Uint8Array(0);
        const part = bytes.subarray(0, this.cutAfter);
        const after = new Uint8Array(Math.max(before.byteLength, at + part.byteLength));
        after.set(before);
        after.set(part, at);
        this.files.set(name, after);
        return part.byteLength;
      },
      getSize: () => this.files.get(name)?.byteLength ?? 0,
      truncate: (byteLength) => {
        const before = this.files.get(name) ?? new Uint8Array(0);
        if (this.cutAfter === undefined) this.files.set(name, before.slice(0, byteLength));
      },
      flush: () => void this.flushed.push(name),
      close: () => this.#open.delete(name),
    };
  }
}

function bytesOf(value: number): Uint8Array {
  return new Uint8Array(64).fill(value);
}

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-witness-"));
});
afterEach(() => rm(directory, { recursive: true }));

const kinds: Record<string, () => Witnesses> = {
  memory: () => new VirtualWitnesses(),
  files: () => new FileWitnesses(join(directory, "made")),
  handles: () => {
    const files = new HandleFiles();
    return new FileHandleWitnesses((...file) => files.open(...file));
  },
};

for (const [kind, make] of Object.entries(kinds)) {
  describe(`witnesses in ${kind}`, () => {
    it("read what was written last, by name", async () => {
      const witnesses = make();
      expect(await witnesses.read("a")).toBeUndefined();
      for (const value of [1, 2, 3]) {
        await witnesses.write("a", bytesOf(value));
        expect(await witnesses.read("a")).toEqual(bytesOf(value));
      }
      await witnesses.write("..", bytesOf(9));
      expect(await witnesses.read("a")).toEqual(bytesOf(3));
      expect(await witnesses.read("..")).toEqual(bytesOf(9));
    });

    it("keep copies of any length, whole", async () => {
      const witnesses = make();
      expect(await witnesses.readCopy?.("a")).toBeUndefined();
      for (const length of [10, 200_000, 30]) {
        const bytes = new Uint8Array(length).fill(length);
        await witnesses.writeCopy?.("a", bytes);
        expect(await witnesses.readCopy?.("a")).toEqual(bytes);
      }
      expect(await witnesses.readCopy?.("b")).toBeUndefined();
      expect(await witnesses.read("a")).toBeUndefined();
    });

    it("keep what is not forced to the disk apart from it", async () => {
      const witnesses = make();
      expect(await witnesses.readUnforced?.("a")).toBeUndefined();
      await witnesses.writeUnforced?.("a", bytesOf(1));
      expect(await witnesses.read("a")).toBeUndefined();
      await witnesses.write("a", bytesOf(2));
      await witnesses.writeUnforced?.("a", bytesOf(3));
      expect(await witnesses.readUnforced?.("a")).toEqual(bytesOf(3));
      expect(await witnesses.read("a")).toEqual(bytesOf(2));
    });
  });
}

describe("an unforced record in handles", () => {
  /** The files after two writings, and the pages of the record as they were after each. */
  async function twice(): Promise<{ files: HandleFiles; before: Uint8Array; after: Uint8Array }> {
    const files = new HandleFiles();
    const witnesses = new FileHandleWitnesses((...file) => files.open(...file));
    const pages = (): Uint8Array => (files.files.get("a.unforced") ?? new Uint8Array(0)).slice();
    await witnesses.writeUnforced("a", bytesOf(1));
    const before = pages();
    await witnesses.writeUnforced("a", bytesOf(2));
    return { files, before, after: pages() };
  }

  it("is the one before as long as any of its pages is", async () => {
    const { files, before, after } = await twice();
    const witnesses = new FileHandleWitnesses((...file) => files.open(...file));
    expect(await witnesses.readUnforced("a")).toEqual(bytesOf(2));
    for (let page = 0; page * 4096 < after.byteLength; page++) {
      const mixed = new Uint8Array(after.byteLength);
      mixed.set(after);
      mixed.set(before.subarray(page * 4096, (page + 1) * 4096), page * 4096);
      files.files.set("a.unforced", mixed);
      expect(await witnesses.readUnforced("a"), `page ${page}`).toEqual(bytesOf(1));
    }
  });

  it("goes on from the one before when a process died in the middle of writing it", async () => {
    const { files, before, after } = await twice();
    const half = before.slice();
    half.set(after.subarray(0, 3 * 4096));
    files.files.set("a.unforced", half);
    const witnesses = new FileHandleWitnesses((...file) => files.open(...file));
    expect(await witnesses.readUnforced("a")).toEqual(bytesOf(1));
    await witnesses.writeUnforced("a", bytesOf(3));
    expect(await witnesses.readUnforced("a")).toEqual(bytesOf(3));
  });
});

describe("witnesses in handles", () => {
  it("force to the disk what must be there, and nothing else", async () => {
    const files = new HandleFiles();
    const witnesses = new FileHandleWitnesses((...file) => files.open(...file));
    await witnesses.writeUnforced("a", bytesOf(1));
    expect(files.flushed).toEqual([]);
    await witnesses.write("a", bytesOf(2));
    expect(files.flushed).toEqual(["a.witness"]);
  });

  it("keep the one before when a writing is cut off at any byte", async () => {
    const files = new HandleFiles();
    const witnesses = new FileHandleWitnesses((...file) => files.open(...file));
    await witnesses.write("a", bytesOf(1));
    for (let cut = 0; cut < 76; cut++) {
      files.cutAfter = cut;
      await witnesses.write("a", bytesOf(2));
      expect(await witnesses.read("a"), `cut after ${cut}`).toEqual(bytesOf(1));
    }
    files.cutAfter = undefined;
    await witnesses.write("a", bytesOf(3));
    expect(await witnesses.read("a")).toEqual(bytesOf(3));
  });

  it("keep the copy before when the writing of one is cut off at any byte", async () => {
    const files = new HandleFiles();
    const witnesses = new FileHandleWitnesses((...file) => files.open(...file));
    await witnesses.writeCopy("a", bytesOf(0).subarray(0, 50));
    await witnesses.writeCopy("a", bytesOf(1));
    for (let cut = 0; cut < 76; cut++) {
      files.cutAfter = cut;
      await witnesses.writeCopy("a", bytesOf(2)).catch(() => undefined);
      expect(await witnesses.readCopy("a"), `cut after ${cut}`).toEqual(bytesOf(1));
    }
    files.cutAfter = undefined;
    await witnesses.writeCopy("a", bytesOf(3));
    expect(await witnesses.readCopy("a")).toEqual(bytesOf(3));
  });

  it("wait for a file that another leader has, for two seconds", async () => {
    const clock = new VirtualClock(0);
    const files = new HandleFiles();
    const witnesses = new FileHandleWitnesses((...file) => files.open(...file), clock);
    await witnesses.write("a", bytesOf(1));
    const handle = await files.open("a.witness");
    const read = witnesses.read("a");
    await clock.advance(1900);
    handle.close();
    await clock.advance(100);
    expect(await read).toEqual(bytesOf(1));
    const kept = await files.open("a.witness");
    const unread = witnesses.read("a");
    const unwritten = expect(witnesses.write("a", bytesOf(2))).rejects.toMatchObject({
      name: "NoModificationAllowedError",
    });
    await clock.advance(2000);
    expect(await unread).toBeUndefined();
    await unwritten;
    kept.close();
    expect(await witnesses.read("a")).toEqual(bytesOf(1));
    expect(clock.pendingTimers).toBe(0);
  });

  it("tell an unforced record that cannot be read from one that is not there", async () => {
    const clock = new VirtualClock(0);
    const files = new HandleFiles();
    const witnesses = new FileHandleWitnesses((...file) => files.open(...file), clock);
    expect(await witnesses.readUnforced("a")).toBeUndefined();
    await witnesses.writeUnforced("a", bytesOf(1));
    const handle = await files.open("a.unforced");
    const taken = expect(witnesses.readUnforced("a")).rejects.toMatchObject({
      name: "NoModificationAllowedError",
    });
    await clock.advance(2000);
    await taken;
    handle.close();
    expect(await witnesses.readUnforced("a")).toEqual(bytesOf(1));
  });

  it("give the greater of both copies, whichever was written last", async () => {
    const files = new HandleFiles();
    const witnesses = new FileHandleWitnesses((...file) => files.open(...file));
    await witnesses.writeCopy("a", bytesOf(7));
    await witnesses.writeCopy("a", bytesOf(3));
    const byFirst = (one: Uint8Array, other: Uint8Array): number => (one[0] ?? 0) - (other[0] ?? 0);
    expect(await witnesses.readCopy("a", byFirst)).toEqual(bytesOf(7));
    expect(await witnesses.readCopy("a")).toEqual(bytesOf(3));
  });
});

describe("a witness whose file does not open", () => {
  it("says nothing after two seconds, and a handle that comes later is closed", async () => {
    const clock = new VirtualClock(0);
    const files = new HandleFiles();
    let open: () => void = () => undefined;
    const wait = new Promise<void>((resolve) => {
      open = resolve;
    });
    const witnesses = new FileHandleWitnesses(async (...file) => {
      await wait;
      return await files.open(...file);
    }, clock);
    const read = witnesses.read("a");
    const written = expect(witnesses.write("a", bytesOf(1))).rejects.toThrow("2000 ms");
    await clock.advance(2000);
    expect(await read).toBeUndefined();
    await written;
    open();
    await clock.advance(0);
    await witnesses.write("a", bytesOf(2));
    expect(await witnesses.read("a")).toEqual(bytesOf(2));
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("witnesses in files", () => {
  it("leave nothing beside, and take a cut file for what it is", async () => {
    const witnesses = new FileWitnesses(directory);
    await witnesses.write("a", bytesOf(1));
    await witnesses.write("a", bytesOf(2));
    expect(await readdir(directory)).toEqual(["a.witness"]);
    await writeFile(join(directory, "a.witness"), bytesOf(2).subarray(0, 10));
    expect((await witnesses.read("a"))?.byteLength).toBe(10);
  });

  it("have a whole unforced record at every moment, so that a kill leaves the one before", async () => {
    const witnesses = new FileWitnesses(directory);
    const path = join(directory, "a.unforced");
    await witnesses.writeUnforced("a", bytesOf(1));
    const before = await readFile(path);
    await witnesses.writeUnforced("a", bytesOf(2));
    const after = await readFile(path);
    for (let cut = 0; cut < before.byteLength - 128; cut += 512) {
      await writeFile(path, Buffer.concat([after.subarray(0, cut), before.subarray(cut)]));
      expect(await witnesses.readUnforced("a"), `cut after ${cut}`).toEqual(bytesOf(1));
    }
    await writeFile(path, after);
    expect(await witnesses.readUnforced("a")).toEqual(bytesOf(2));
  });

  it("write at the same time without harm, and leave nothing when they fail", async () => {
    const [one, other] = [new FileWitnesses(directory), new FileWitnesses(directory)];
    await Promise.all([one, other, one, other].map((w, i) => w.writeCopy("a", bytesOf(i))));
    expect((await one.readCopy("a"))?.byteLength).toBe(64);
    await mkdir(join(directory, "b.witness"));
    await expect(one.write("b", bytesOf(1))).rejects.toMatchObject({ syscall: "rename" });
    expect((await readdir(directory)).sort()).toEqual(["a.copy", "b.witness"]);
  });

  it("are cleared of what a killed process left, and of nothing else, when an engine opens", async () => {
    const others = ["a.b.witness.7-1.tmp", "a.notes.tmp", "b.copy.7-1.tmp"];
    for (const name of ["a.witness.7-1.tmp", "a.copy.7-2.tmp", ...others]) {
      await writeFile(join(directory, name), bytesOf(1));
    }
    const store = await nodePlatform({ dataDirectory: directory }).stores.open("a");
    await store.close();
    expect((await readdir(directory)).filter((name) => name.endsWith(".tmp")).sort()).toEqual(
      others,
    );
  });
});
