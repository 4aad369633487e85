/**
 * What browsers differ in as far as Millrace uses it, each with a probe, and tests that are left out under
 * the name of the feature that they miss.
 */
import { executeServerCommand } from "@web/test-runner-commands";
import { supportsSimd } from "../../engine/host/src/core/simd.ts";

/** A feature, what it is used for, and how to find out why it is missing. */
interface Feature {
  readonly use: string;
  /** Resolves with why the feature is not there, or undefined when it is. May throw the reason. */
  readonly probe: () => string | undefined | Promise<string | undefined>;
}

const DATABASE = "millrace-probe";
const WORKER_MS_MAX = 5000;

function unless(holds: boolean, why: string): string | undefined {
  return holds ? undefined : why;
}

function resultOf<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** Runs `use` with a database that has one object store and is deleted afterwards. */
async function withDatabase(
  use: (database: IDBDatabase) => Promise<string | undefined>,
): Promise<string | undefined> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("values");
  const database = await resultOf(opening);
  try {
    return await use(database);
  } finally {
    database.close();
    await resultOf(indexedDB.deleteDatabase(DATABASE));
  }
}

/** Stores a value in a transaction that nobody commits by hand, and reads it back. */
async function storedAndRead(database: IDBDatabase, value: unknown): Promise<unknown> {
  const transaction = database.transaction("values", "readwrite");
  await resultOf(transaction.objectStore("values").put(value, 1));
  return await resultOf(database.transaction("values").objectStore("values").get(1));
}

/** What a worker with the given script posts first. */
async function answerOfWorker(script: string, options: WorkerOptions): Promise<unknown> {
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  const worker = new Worker(url, options);
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }: MessageEvent<unknown>) => resolve(data);
      worker.onerror = (event) => {
        event.preventDefault();
        reject(new Error(event.message || "the worker does not start"));
      };
      setTimeout(() => reject(new Error("the worker is silent")), WORKER_MS_MAX);
    });
  } finally {
    worker.terminate();
    URL.revokeObjectURL(url);
  }
}

const OPEN_SYNC_HANDLE = `(async () => {
  if (navigator.storage === undefined) return "navigator.storage is undefined in a worker";
  const root = await navigator.storage.getDirectory();
  const file = await root.getFileHandle("${DATABASE}", { create: true });
  if (file.createSyncAccessHandle === undefined) return "no createSyncAccessHandle";
  (await file.createSyncAccessHandle()).close();
  await root.removeEntry("${DATABASE}");
})().then((why) => postMessage(why), (error) => postMessage(String(error)))`;

const FEATURES = {
  "WebAssembly SIMD": {
    use: "the fast core; a scalar one stands in",
    probe: () => unless(supportsSimd(), "the validator refuses it"),
  },
  "module workers": {
    use: "required: the engine runs in one",
    probe: async () =>
      unless(
        (await answerOfWorker("export {}; postMessage(1)", { type: "module" })) === 1,
        "the worker says something else",
      ),
  },
  "Web Locks": {
    use: "required: one writer per log",
    probe: () => unless(navigator.locks !== undefined, "navigator.locks is undefined"),
  },
  "strict durability": {
    use: "required for what survives a power cut",
    probe: () =>
      withDatabase(async (database) => {
        const transaction = database.transaction("values", "readwrite", { durability: "strict" });
        return unless(transaction.durability === "strict", `it is ${transaction.durability}`);
      }),
  },
  "Blobs in IndexedDB": {
    use: "small segments in Chromium; plain buffers elsewhere",
    probe: () =>
      withDatabase(async (database) =>
        unless((await storedAndRead(database, new Blob(["x"]))) instanceof Blob, "none comes back"),
      ),
  },
  "keys in IndexedDB": {
    use: "encryption at rest",
    probe: () =>
      withDatabase(async (database) => {
        const parameters = { name: "AES-GCM", length: 256 };
        const key = await crypto.subtle.generateKey(parameters, false, ["encrypt"]);
        const stored = await storedAndRead(database, key);
        return unless(stored instanceof CryptoKey && !stored.extractable, "none comes back");
      }),
  },
  "origin private file system": {
    use: "the witness of a lost log",
    probe: async () => {
      const why = await answerOfWorker(OPEN_SYNC_HANDLE, {});
      return why === undefined ? undefined : String(why);
    },
  },
  "storage estimates": {
    use: "usage and quota in storage()",
    probe: async () => {
      const estimate = await navigator.storage?.estimate?.();
      return unless(estimate?.quota !== undefined, "navigator.storage has no estimate");
    },
  },
  SharedWorker: {
    use: "ports between tabs; a broadcast channel stands in",
    probe: () => unless(typeof SharedWorker === "function", "it is undefined"),
  },
  "service workers": {
    use: "AWS's unmodified client in a page",
    probe: () => unless(navigator.serviceWorker !== undefined, "it is undefined"),
  },
  "streams of request bodies": {
    use: "requests without a length end at the limit; read as a whole elsewhere",
    probe: () => {
      const { body } = new Request("/", { method: "POST", body: "x" });
      return unless(body instanceof ReadableStream, "Request.body is undefined");
    },
  },
  SharedArrayBuffer: {
    use: "not used",
    probe: () =>
      unless(
        typeof SharedArrayBuffer === "function",
        crossOriginIsolated ? "undefined in an isolated page" : "the page is not isolated",
      ),
  },
  "memory measurement": {
    use: "figures of the site and the memory test",
    probe: () =>
      unless(
        "measureUserAgentSpecificMemory" in performance || "memory" in performance,
        "performance has neither memory nor measureUserAgentSpecificMemory",
      ),
  },
  "syntax errors of workers": {
    use: "WorkerLoadError quotes them",
    probe: async () => {
      const answer = answerOfWorker("const half = {", {});
      const why = await answer.then(String, String);
      return unless(why.includes("SyntaxError"), "the error event of a worker has no message");
    },
  },
  "DevTools protocol": {
    use: "not the engine: tests that limit and clear storage",
    probe: async () =>
      unless(
        (await executeServerCommand("has-devtools-protocol")) === true,
        "the browser is driven by another protocol",
      ),
  },
} as const satisfies Record<string, Feature>;

/** Names of the features. */
export type FeatureName = keyof typeof FEATURES;

/** What a probe found. */
export interface FeatureFinding {
  readonly name: string;
  readonly use: string;
  /** Why it is not there; null when it is. */
  readonly missing: string | null;
}

async function whyMissing({ probe }: Feature): Promise<string | undefined> {
  try {
    return await probe();
  } catch (error) {
    return String(error);
  }
}

/** Probes all features, one after the other. */
export async function probeFeatures(): Promise<FeatureFinding[]> {
  const found: FeatureFinding[] = [];
  for (const [name, feature] of Object.entries(FEATURES)) {
    found.push({ name, use: feature.use, missing: (await whyMissing(feature)) ?? null });
  }
  return found;
}

/** Names of features without which there is no engine. */
export function isRequired({ use }: FeatureFinding): boolean {
  return use.startsWith("required");
}

/**
 * `it` where the browser has a feature. Where it has not, what is left out says so in its title, which the
 * table of the engines is made from.
 */
export async function itNeeding(
  name: FeatureName,
): Promise<(title: string, body: Mocha.AsyncFunc) => Mocha.Test> {
  if ((await whyMissing(FEATURES[name])) === undefined) return it;
  return (title, body) => it.skip(`${title} [needs ${name}]`, body);
}

/** `describe` where the browser has a feature, as {@link itNeeding} is `it`. */
export async function describeNeeding(
  name: FeatureName,
): Promise<(title: string, body: (this: Mocha.Suite) => void) => void> {
  if ((await whyMissing(FEATURES[name])) === undefined) return describe;
  return (title, body) => {
    describe.skip(`${title} [needs ${name}]`, body);
  };
}
