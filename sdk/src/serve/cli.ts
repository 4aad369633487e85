#!/usr/bin/env node
/** The command `millrace`: reads its words, and serves until it is told to stop, or checks or exports what is stored. */
import { writeFile } from "node:fs/promises";
import process from "node:process";
import { VERSION } from "@millrace/engine";
import { checkStoredLogs } from "@millrace/engine/local";
import { type ExportCommand, readCommand, USAGE, UsageError } from "./arguments.ts";
import { describeCheck } from "./check-report.ts";
import { exportStored } from "./export-stored.ts";
import { serve } from "./index.ts";
import type { ServeOptions } from "./options.ts";

async function serveUntilStopped(options: ServeOptions): Promise<void> {
  const warn = (message: string): void => {
    process.stderr.write(`millrace: ${message}\n`);
  };
  const server = await serve({ ...options, warn });
  const stop = (): void => {
    void server.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  // A second signal ends the process at once, as it does where nobody listens.
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  const where = options.directory === undefined ? "in memory" : `in ${options.directory}`;
  process.stdout.write(`millrace ${VERSION} answers at ${server.url}, streams are ${where}\n`);
}

async function check(path: string): Promise<void> {
  const checks = await checkStoredLogs(path);
  for (const one of checks) process.stdout.write(describeCheck(one));
  process.exitCode = checks.some(({ report }) => report.damage.length > 0) ? 1 : 0;
}

async function exportCode(command: ExportCommand): Promise<void> {
  const { text, notes } = await exportStored(command);
  if (command.out === undefined) process.stdout.write(text);
  else await writeFile(command.out, text);
  for (const note of notes) process.stderr.write(`millrace: ${note}\n`);
}

function fail(error: unknown): never {
  const usage = error instanceof UsageError;
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`millrace: ${text}\n${usage ? `\n${USAGE}` : ""}`);
  process.exit(usage ? 2 : 1);
}

try {
  const command = await readCommand(process.argv.slice(2));
  if (command.kind === "help") process.stdout.write(USAGE);
  else if (command.kind === "version") process.stdout.write(`${VERSION}\n`);
  else if (command.kind === "check") await check(command.path);
  else if (command.kind === "export") await exportCode(command);
  else await serveUntilStopped(command.options);
} catch (error) {
  fail(error);
}
