/** The words of a command line: what they ask for, and what is wrong with them. */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { checkOneOf } from "../check.ts";
import type { InfrastructureFormat } from "../infrastructure/infrastructure-of.ts";
import type { ServeOptions } from "./options.ts";
import type { AccessKey } from "./signature.ts";

/** What `millrace --help` prints. */
export const USAGE = `Usage: millrace serve [options]
       millrace check PATH
       millrace export --format cloudformation|terraform [--name ENGINE] [--out FILE] DIRECTORY

check verifies an exported log, or the logs in a directory that nobody has open, and changes nothing; it
ends with 1 when something is damaged.

export writes the streams of an engine that nobody has open, with consumers, tags, keys and policies, as
infrastructure code for AWS, and changes nothing; what has no counterpart there is told in the code and as
warnings. --name says which engine when the directory holds several; --out writes a file.

serve:

Answers as Amazon Kinesis Data Streams does, over HTTP/1.1 and HTTP/2 on one port.

  --port NUMBER            port to listen on, 0 for any that is free (4567)
  --host ADDRESS           address to listen on (127.0.0.1: this machine only)
  --data DIRECTORY         keep streams in a directory (in memory when absent)
  --tls-cert FILE          certificate in PEM; with --tls-key: speak HTTPS
  --tls-key FILE           its key in PEM
  --time system|virtual    virtual: time stands still until POST /_millrace/time (system)
  --quotas aws|unlimited   enforce AWS's quotas (aws)
  --control-quotas         enforce the rates of control operations, too
  --transition-ms NUMBER   how long streams are CREATING, UPDATING, DELETING (0)
  --access-key ID:SECRET   accept only requests signed with this key; may be repeated
  --allow-origin ORIGIN    let pages of an origin call, * for all; may be repeated (pages of this
                           machine; with access keys, all)
  --help, --version

Tests and tools ask /_millrace/ : GET / time faults metrics, POST time {"advanceMs": 1000},
POST reset, PUT faults {"rules": [...]}, DELETE faults, PUT trail {"streamName": "..."}, DELETE trail.
`;

const OPTIONS = {
  port: { type: "string" },
  host: { type: "string" },
  data: { type: "string" },
  "tls-cert": { type: "string" },
  "tls-key": { type: "string" },
  time: { type: "string" },
  quotas: { type: "string" },
  "control-quotas": { type: "boolean" },
  "transition-ms": { type: "string" },
  "access-key": { type: "string", multiple: true },
  "allow-origin": { type: "string", multiple: true },
  format: { type: "string" },
  name: { type: "string" },
  out: { type: "string" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

/** What is to be exported, and where to. */
export interface ExportCommand {
  readonly kind: "export";
  readonly format: InfrastructureFormat;
  /** An engine's directory, or one of engines. */
  readonly path: string;
  /** Which of several engines. */
  readonly engineName: string | undefined;
  /** File to write; the standard output when undefined. */
  readonly out: string | undefined;
}

/** What a command line asks for. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "check"; readonly path: string }
  | ExportCommand
  | { readonly kind: "serve"; readonly options: ServeOptions };

/** A command line that makes no sense. */
export class UsageError extends Error {}

/** Reads a command line, without the interpreter and the script. @throws UsageError, InvalidArgumentError. */
export async function readCommand(words: readonly string[]): Promise<Command> {
  const { values, positionals } = parse(words);
  if (values.help === true) return { kind: "help" };
  if (values.version === true) return { kind: "version" };
  const [command, ...rest] = positionals;
  if (command === undefined) return { kind: "help" };
  if (command === "check") return { kind: "check", path: pathOf("check", rest) };
  if (command === "export") return exportCommand(values, rest);
  if (command !== "serve") throw new UsageError(`there is no command "${command}"`);
  if (rest.length > 0) throw new UsageError(`"${rest.join(" ")}" says nothing to serve`);
  const time = values.time ?? "system";
  const quotas = values.quotas ?? "aws";
  return {
    kind: "serve",
    options: {
      port: numberOf("--port", values.port),
      host: values.host,
      directory: values.data,
      tls: await readTls(values["tls-cert"], values["tls-key"]),
      time: checkOneOf<"system" | "virtual">("--time", time, ["system", "virtual"]),
      quotas: checkOneOf<"unlimited" | "aws">("--quotas", quotas, ["unlimited", "aws"]),
      controlQuotas: values["control-quotas"],
      transitionMs: numberOf("--transition-ms", values["transition-ms"]),
      accessKeys: values["access-key"]?.map(accessKeyOf),
      origins: values["allow-origin"],
    },
  };
}

function pathOf(command: "check" | "export", rest: readonly string[]): string {
  const [path, ...others] = rest;
  const what = command === "check" ? "a file or a directory" : "a directory";
  if (path === undefined) throw new UsageError(`${command} needs the path of ${what}`);
  if (others.length > 0) throw new UsageError(`${command} takes one path`);
  return path;
}

function exportCommand(
  { format, name, out }: ReturnType<typeof parse>["values"],
  rest: readonly string[],
): ExportCommand {
  if (format === undefined)
    throw new UsageError("export needs --format cloudformation or terraform");
  return {
    kind: "export",
    format: checkOneOf<InfrastructureFormat>("--format", format, ["cloudformation", "terraform"]),
    path: pathOf("export", rest),
    engineName: name,
    out,
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d+$/.test(text)) throw new UsageError(`${name} must be a number, but it is "${text}"`);
  return Number(text);
}

function accessKeyOf(text: string): AccessKey {
  const at = text.indexOf(":");
  if (at < 1 || at === text.length - 1) {
    throw new UsageError("--access-key must be ID:SECRET");
  }
  return { accessKeyId: text.slice(0, at), secretAccessKey: text.slice(at + 1) };
}

async function readTls(
  certFile: string | undefined,
  keyFile: string | undefined,
): Promise<ServeOptions["tls"]> {
  if (certFile === undefined && keyFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new UsageError("--tls-cert and --tls-key go together");
  }
  try {
    return { cert: await readFile(certFile), key: await readFile(keyFile) };
  } catch (error) {
    throw new UsageError(`a file of TLS cannot be read: ${String(error)}`, { cause: error });
  }
}
