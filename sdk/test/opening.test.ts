/** Opening that fails or is given up on its way: nothing that it began stays open. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { importLog, open } from "millrace";
import { kinesis } from "millrace/remote";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { failureOf } from "./support.ts";

const REASON = new Error("given up");
let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-opening-"));
});
afterEach(async () => {
  vi.doUnmock("../src/jobs/job-host.ts");
  vi.doUnmock("../src/archive.ts");
  vi.resetModules();
  await rm(directory, { recursive: true });
});

/** An engine that only one can have open. */
const engine = () => ({ name: "shop", storage: "file", directory }) as const;

function failToLoad(): never {
  throw new Error("it does not load");
}

async function expectFree(): Promise<void> {
  await (await open(engine())).close();
}

it("closes the engine when what hosts jobs does not load", async () => {
  vi.doMock("../src/jobs/job-host.ts", failToLoad);
  await failureOf(open({ ...engine(), jobs: true }));
  await expectFree();
});

it("closes the engine when it is given up while that loads", async () => {
  const ending = new AbortController();
  vi.doMock("../src/jobs/job-host.ts", async (importOriginal) => {
    ending.abort(REASON);
    return await importOriginal();
  });
  const opening = open({ ...engine(), jobs: true, signal: ending.signal });
  expect(await failureOf(opening)).toBe(REASON);
  await expectFree();
});

it("opens no engine to import into when what imports does not load", async () => {
  vi.doMock("../src/archive.ts", failToLoad);
  const { name, ...place } = engine();
  await failureOf(importLog(name, new Blob([]), place));
  await expectFree();
});

it("ends a backend's connections when it is given up while that loads", async () => {
  const ending = new AbortController();
  const requestHandler = { handle: () => new Promise<never>(() => undefined), destroy: vi.fn() };
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  const backend = kinesis({ region: "us-east-1", credentials, requestHandler });
  const opening = open({ backend, signal: ending.signal });
  ending.abort(REASON);
  expect(await failureOf(opening)).toBe(REASON);
  expect(requestHandler.destroy).toHaveBeenCalledOnce();
});
