/** What `millrace export` writes: infrastructure code of an engine that lies in a directory. */
import { findStoredEngines, type StoredEngine } from "@millrace/engine/local";
import type { InfrastructureCode } from "../infrastructure/deployment.ts";
import {
  type InfrastructureFormat,
  infrastructureOf,
} from "../infrastructure/infrastructure-of.ts";
import { UsageError } from "./arguments.ts";

/** Which engine is exported, and how. */
export interface ExportRequest {
  /** An engine's directory, or one of engines. */
  readonly path: string;
  readonly format: InfrastructureFormat;
  /** Which of several engines. */
  readonly engineName: string | undefined;
}

/**
 * Reads an engine's store, and leaves it as it is.
 *
 * @throws UsageError when the directory holds another engine, or several and no name is given.
 * @throws StorageUnavailableError when it holds none; EngineInUseError when a process has it open.
 * @throws ResourceNotFoundError when it has no stream; UnsupportedFormatError for one of a newer build.
 */
export async function exportStored(request: ExportRequest): Promise<InfrastructureCode> {
  const client = await (await theEngine(request)).open();
  try {
    return await infrastructureOf(client, request.format);
  } finally {
    await client.close();
  }
}

async function theEngine({ path, engineName }: ExportRequest): Promise<StoredEngine> {
  const engines = await findStoredEngines(path);
  const [first, ...others] = engines.filter(({ name }) => (engineName ?? name) === name);
  if (first !== undefined && others.length === 0) return first;
  const names = engines.map(({ name }) => name).join(", ");
  if (engines.length === 0) throw new UsageError(`${path} is an exported log, and no directory`);
  if (first === undefined) {
    throw new UsageError(`${path} holds no engine "${engineName}"; it holds ${names}`);
  }
  throw new UsageError(`${path} holds several engines: name one of ${names} with --name`);
}
