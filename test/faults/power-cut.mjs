/**
 * What a power cut leaves of a profile: its files as they were before, and what was forced to the disk since.
 *
 * The model is a file system that journals names and keeps their order: renamings and deletions last once
 * anything is forced after them, and a file's name once the file is. Bytes last once their own file is forced.
 * What was not forced is gone ("clean"), or may have got to the disk in part ("torn"): of what a file grew
 * by, the first so many pages; of pages that were written over, any; of names, the first so many changes. Not
 * in the model: pages that a file grew by out of their order, pages torn in themselves, disks that lie.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { readJournals } from "./power-recorder.mjs";

const PAGE_BYTES = 4096;
/** Folders of a profile that are cut back: all that has to do with what sites store. */
const FOLDERS = ["IndexedDB", "File System", "WebStorage"].map((name) => join("Default", name));

/** Paths of all files under a folder that may not exist. */
function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function inodeOf(path) {
  return statSync(path, { bigint: true }).ino;
}

/** The bytes of a file as far as they were forced. */
class Image {
  #bytes;
  size;

  constructor(bytes) {
    this.#bytes = bytes;
    this.size = bytes.length;
  }

  get bytes() {
    return this.#bytes.subarray(0, this.size);
  }

  /** Takes over what was written since the last time, of a file that is `size` bytes long now. */
  sync(size, ranges) {
    if (size > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(size, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.size);
      this.#bytes = grown;
    }
    // What was cut off reads as zeros when the file grows again.
    if (size < this.size) this.#bytes.fill(0, size, this.size);
    this.size = size;
    for (const { offset, bytes } of ranges) bytes.copy(this.#bytes, offset);
  }
}

/** FNV-1a of 64 bits, as the recorder has it. */
function hashOf(bytes) {
  let [high, low] = [0xcbf29ce4, 0x84222325];
  for (const byte of bytes) {
    low = (low ^ byte) >>> 0;
    // Times 2^40 + 0x1b3, in two words.
    const product = low * 0x1b3;
    high = (Math.imul(high, 0x1b3) + Math.floor(product / 2 ** 32) + ((low << 8) >>> 0)) >>> 0;
    low = product >>> 0;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

/** The files of a disk as far as they last. */
class Disk {
  /** Images by the number of a file that no other file ever has. */
  #images = new Map();
  /** Numbers by name, as they last. */
  names = new Map();
  /** Numbers by inode, as they are: an inode that is free is given to another file. */
  #numbers = new Map();
  #pending = [];
  #next = 1;
  /** Syncs whose file was not what the journal says, when it carries hashes. */
  mismatches = [];
  syncs = 0;

  /** A file that was there before. */
  add(path, inode, bytes) {
    const number = this.numberOf(inode);
    this.#images.set(number, new Image(bytes));
    this.names.set(path, number);
  }

  numberOf(inode) {
    let number = this.#numbers.get(inode);
    if (number === undefined) {
      number = this.#next++;
      this.#numbers.set(inode, number);
    }
    return number;
  }

  /** What lasts of a file. */
  image(number) {
    let image = this.#images.get(number);
    if (image === undefined) {
      image = new Image(Buffer.alloc(0));
      this.#images.set(number, image);
    }
    return image;
  }

  apply(entry) {
    const { kind, inode, path, second, size, ranges, hash, replaced } = entry;
    if (kind === "rename") {
      const number = this.numberOf(inode);
      this.#pending.push(() => this.#rename(path, second, number));
      if (replaced !== undefined) this.#numbers.delete(replaced);
    } else if (kind === "delete") {
      const number = this.numberOf(inode);
      this.#pending.push(() => this.#delete(path, number));
      this.#numbers.delete(inode);
    } else {
      this.settle(this.#pending.length);
      if (kind !== "sync") return;
      this.syncs += 1;
      const number = this.numberOf(inode);
      const image = this.image(number);
      image.sync(size, ranges);
      if (hash !== 0n && hash !== hashOf(image.bytes)) this.mismatches.push(path);
      if (!path.endsWith(" (deleted)")) this.names.set(path, number);
    }
  }

  get pending() {
    return this.#pending.length;
  }

  /** Makes the first so many changes of names last. */
  settle(count) {
    for (const change of this.#pending.splice(0, count)) change();
  }

  #rename(from, to, number) {
    if (this.names.get(from) === number) this.names.delete(from);
    this.names.set(to, number);
  }

  #delete(path, number) {
    if (this.names.get(path) === number) this.names.delete(path);
  }
}

/** Some of what a file grew by, from a size on: the first so many pages of it, or none, or all. */
function beginningOf(size, grown, random) {
  const pages = Math.floor((size + grown) / PAGE_BYTES) - Math.floor(size / PAGE_BYTES);
  const kept = Math.floor(random() * (pages + 2));
  if (kept === 0) return 0;
  return kept > pages ? grown : (Math.floor(size / PAGE_BYTES) + kept) * PAGE_BYTES - size;
}

/** What is found of a file whose last bytes were not forced: each page as it lasts or as it was written last. */
function torn(lasting, written, random) {
  const grown = Math.max(0, written.length - lasting.length);
  const shrunk = written.length < lasting.length && random() < 0.5;
  const size = shrunk
    ? written.length
    : lasting.length + beginningOf(lasting.length, grown, random);
  const bytes = Buffer.alloc(size);
  lasting.copy(bytes, 0, 0, Math.min(size, lasting.length));
  if (size > lasting.length) written.copy(bytes, lasting.length, lasting.length, size);
  for (let at = 0; at < Math.min(size, lasting.length, written.length); at += PAGE_BYTES) {
    const end = Math.min(at + PAGE_BYTES, size, lasting.length, written.length);
    if (random() < 0.5) written.copy(bytes, at, at, end);
  }
  return bytes;
}

/** A profile from the moment on from which a browser that is to lose its power runs on it. */
export class PoweredProfile {
  #path;
  #journal;
  #disk = new Disk();
  #replayed = false;
  /** Bytes by path, as the cut left them. */
  #found = new Map();

  /** `path` is the profile, `scratch` an empty folder for the journals. No browser may run yet. */
  constructor(path, scratch) {
    this.#path = path;
    this.#journal = scratch;
    rmSync(scratch, { recursive: true, force: true });
    mkdirSync(scratch, { recursive: true });
    for (const file of this.#files()) this.#disk.add(file, inodeOf(file), readFileSync(file));
  }

  #files() {
    return FOLDERS.flatMap((folder) => filesUnder(join(this.#path, folder)));
  }

  #isKept(path) {
    const name = relative(this.#path, path);
    return FOLDERS.some((folder) => name.startsWith(`${folder}/`));
  }

  #replay() {
    const disk = this.#disk;
    for (const entry of this.#replayed ? [] : readJournals(this.#journal)) {
      if (this.#isKept(entry.path)) disk.apply(entry);
    }
    this.#replayed = true;
    return disk;
  }

  /**
   * Cuts the files back, once every process of the browser is killed. Returns what became of them: number of
   * syncs, of files that lost bytes, of files that are gone, and the bytes lost.
   */
  cut(mode, random = Math.random) {
    const disk = this.#replay();
    if (mode === "torn") disk.settle(Math.floor(random() * (disk.pending + 1)));
    const written = new Map();
    for (const file of this.#files()) {
      written.set(disk.numberOf(inodeOf(file)), { file, bytes: readFileSync(file) });
    }
    const found = new Map();
    for (const [path, number] of disk.names) {
      const lasting = disk.image(number).bytes;
      const latest = written.get(number)?.bytes;
      found.set(
        path,
        mode === "torn" && latest !== undefined ? torn(lasting, latest, random) : lasting,
      );
    }
    const named = new Set(disk.names.values());
    const report = { syncs: disk.syncs, cutFiles: 0, goneFiles: 0, lostBytes: 0 };
    for (const [number, { file, bytes }] of written) {
      if (named.has(number)) {
        const lasting = disk.image(number).bytes;
        if (!lasting.equals(bytes)) report.cutFiles += 1;
        report.lostBytes += Math.max(0, bytes.length - lasting.length);
        continue;
      }
      report.goneFiles += 1;
      report.lostBytes += bytes.length;
      // Its name may have lasted although nothing in it did.
      if (mode !== "torn" || found.has(file) || random() < 0.5) continue;
      found.set(file, bytes.subarray(0, beginningOf(0, bytes.length, random)));
    }
    this.#found = found;
    this.#write(found);
    return report;
  }

  #write(found) {
    for (const file of this.#files()) rmSync(file);
    for (const [path, bytes] of found) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, bytes);
    }
  }

  /** Files whose bytes, as the journal tells them, are not those that were forced. Needs checked journals. */
  mismatches() {
    const disk = this.#replay();
    return { syncs: disk.syncs, paths: disk.mismatches };
  }

  /** Does away with the journals. */
  forget() {
    rmSync(this.#journal, { recursive: true, force: true });
  }

  /** Writes the files as the cut left them into a folder, for whoever looks into a failure. */
  keep(folder) {
    for (const [path, bytes] of this.#found) {
      const file = join(folder, relative(this.#path, path));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, bytes);
    }
  }
}
