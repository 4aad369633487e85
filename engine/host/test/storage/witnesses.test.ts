/** Places for witnesses: what was written last is read, whole, whatever went wrong with the next writing. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileHandleWitnesses, type WitnessHandle } from "../../src/platform/browser-witness.ts";
import { FileWitnesses } from "../../src/platform/node-witness.ts";
import type { Witnesses } from "../../src/platform/platform.ts";
import { VirtualClock } from "../../src/platform/virtual-clock.ts";
import { VirtualWitnesses } from "../../src/platform/virtual-witness.ts";

/** Files with exclusive handles, as the origin private file system has them. */
class HandleFiles {
  readonly files = new Map<string, Uint8Array>();
  /** Bytes that the next writing puts down before the power goes. */
  cutAfter: number | undefined;
  #open = new Set<string>();

  async open(name: string): Promise<WitnessHandle> {
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
      flush: () => undefined,
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
    return new FileHandleWitnesses((name) => files.open(name));
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
  });
}

describe("witnesses in handles", () => {
  it("keep the one before when a writing is cut off at any byte", async () => {
    const files = new HandleFiles();
    const witnesses = new FileHandleWitnesses((name) => files.open(name));
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

  it("say nothing while another leader has the file, and hold it for no longer than a writing", async () => {
    const files = new HandleFiles();
    const witnesses = new FileHandleWitnesses((name) => files.open(name));
    await witnesses.write("a", bytesOf(1));
    const handle = await files.open("a");
    expect(await witnesses.read("a")).toBeUndefined();
    await expect(witnesses.write("a", bytesOf(2))).rejects.toMatchObject({
      name: "NoModificationAllowedError",
    });
    handle.close();
    expect(await witnesses.read("a")).toEqual(bytesOf(1));
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
    const witnesses = new FileHandleWitnesses(async (name) => {
      await wait;
      return await files.open(name);
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
});
