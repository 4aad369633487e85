/** What a server is started with, and what is refused of it. */
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";
import { InvalidArgumentError } from "@millrace/engine";
import { checkInteger, checkMembers, checkOneOf } from "../check.ts";
import { pem, type TlsFiles } from "./listener.ts";
import { isOrigin } from "./pages.ts";
import type { AccessKey } from "./signature.ts";

/** How a server is started. */
export interface ServeOptions {
  /** 0 for any port that is free; 4567 when absent. */
  readonly port?: number | undefined;
  /** Address to listen on; 127.0.0.1 when absent, which other machines cannot reach. */
  readonly host?: string | undefined;
  /** Directory to keep streams in; in memory, until the server is closed, when absent. */
  readonly directory?: string | undefined;
  /** Certificate and key in PEM; without them it speaks HTTP. */
  readonly tls?: TlsFiles | undefined;
  /** "virtual": the engine's time stands still until the control endpoint advances it; "system" when absent. */
  readonly time?: "system" | "virtual" | undefined;
  /** "aws" enforces AWS's quotas; "aws" when absent. */
  readonly quotas?: "unlimited" | "aws" | undefined;
  /** Enforces AWS's rates of control operations, too; false when absent. */
  readonly controlQuotas?: boolean | undefined;
  /** How long streams are CREATING, UPDATING or DELETING, in ms; 0 when absent. */
  readonly transitionMs?: number | undefined;
  /** Keys that requests must be signed with; any signature, and none, is accepted when absent. */
  readonly accessKeys?: readonly AccessKey[] | undefined;
  /**
   * Origins of pages that may call, as `https://app.example`, or "*" for all. When absent, those of this
   * machine (`http://localhost:5173`), and with access keys all, for a page needs one.
   */
  readonly origins?: readonly string[] | undefined;
  /** Wasm memory that the engine may use, in bytes: 16 MiB to 2 GiB; 256 MiB when absent. */
  readonly memoryBudgetBytes?: number | undefined;
  /** Path of the core; the package's own when absent. */
  readonly wasm?: string | URL | undefined;
  /** Told what the operator should know; Node's own warnings when absent. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** Options with all that was left out, except what stays undefined. */
export type CheckedServeOptions = Required<
  Pick<ServeOptions, "tls" | "directory" | "wasm" | "warn">
> & {
  readonly port: number;
  readonly host: string;
  readonly time: "system" | "virtual";
  readonly quotas: "unlimited" | "aws";
  readonly controlQuotas: boolean;
  readonly transitionMs: number;
  readonly accessKeys: readonly AccessKey[];
  readonly origins: readonly string[] | undefined;
  readonly memoryBudgetBytes: number;
};

/** The port of kinesalite and others, so that configurations go on working. */
export const DEFAULT_PORT = 4567;

const MIB = 1_048_576;
const DAY_MS = 86_400_000;
const ACCESS_KEY_ID = /^[\w-]{1,128}$/;
const MEMBERS = [
  ...["port", "host", "directory", "tls", "time", "quotas", "controlQuotas", "transitionMs"],
  ...["accessKeys", "origins", "memoryBudgetBytes", "wasm", "warn"],
];

/** Refuses what no server can be started with. @throws InvalidArgumentError. */
export function checkServeOptions(options: ServeOptions): CheckedServeOptions {
  checkMembers("options", options, MEMBERS);
  const { tls, directory, wasm, warn, accessKeys = [], origins } = options;
  if (directory === "") refuse("directory", directory, "the name of a directory");
  for (const [i, { accessKeyId, secretAccessKey }] of accessKeys.entries()) {
    const name = `accessKeys[${i}]`;
    if (!ACCESS_KEY_ID.test(accessKeyId)) {
      refuse(`${name}.accessKeyId`, accessKeyId, "1 to 128 letters, digits, _ and -");
    }
    // A secret stays out of messages.
    if (secretAccessKey.length === 0) refuse(`${name}.secretAccessKey`, "", "at least a character");
  }
  if (tls !== undefined) checkTls(tls);
  for (const [i, origin] of (origins ?? []).entries()) {
    if (isOrigin(origin)) continue;
    refuse(`origins[${i}]`, origin, 'an origin, as in "https://app.example", "null" or "*"');
  }
  return {
    ...{ tls, directory, wasm, warn, accessKeys, origins },
    port: checkInteger("port", options.port ?? DEFAULT_PORT, 0, 65_535),
    host: options.host ?? "127.0.0.1",
    time: checkOneOf("time", options.time ?? "system", ["system", "virtual"]),
    quotas: checkOneOf("quotas", options.quotas ?? "aws", ["unlimited", "aws"]),
    controlQuotas: options.controlQuotas ?? false,
    transitionMs: checkInteger("transitionMs", options.transitionMs ?? 0, 0, DAY_MS),
    memoryBudgetBytes: checkInteger(
      "memoryBudgetBytes",
      options.memoryBudgetBytes ?? 256 * MIB,
      16 * MIB,
      2048 * MIB,
    ),
  };
}

function checkTls({ cert, key }: TlsFiles): void {
  try {
    createSecureContext({ cert: pem(cert), key: pem(key) });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    // The files themselves stay out of messages: one of them is a secret.
    throw new InvalidArgumentError(`tls must be a certificate and its key in PEM: ${why}`, {
      argument: "tls",
      limit: "cert and key in PEM",
      cause,
    });
  }
}

function refuse(argument: string, value: string, limit: string): never {
  throw new InvalidArgumentError(
    `${argument} must be ${limit}, but it is ${JSON.stringify(value)}`,
    {
      argument,
      value,
      limit,
    },
  );
}

/** The URL by which a server on this machine is reached. */
export function urlOf(scheme: "http" | "https", host: string, port: number): string {
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `${scheme}://${isIP(reachable) === 6 ? `[${reachable}]` : reachable}:${port}`;
}
