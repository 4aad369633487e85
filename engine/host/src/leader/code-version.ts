/** What this build says of itself to contexts of other builds, and which of two builds is the newer one. */
import { WAL_FORMAT } from "@millrace/core/layout";
import { VERSION } from "../rpc/version.ts";
import { type CodeVersion, TAB_PROTOCOL } from "./tab-protocol.ts";

/** This build. */
export const OWN_CODE: CodeVersion = {
  protocol: TAB_PROTOCOL,
  version: VERSION,
  walFormat: WAL_FORMAT,
};

/** Whether `one` is newer than `other`: by protocol, then version, then format. */
export function isNewer(one: CodeVersion, other: CodeVersion): boolean {
  const ranks = (code: CodeVersion): number[] => {
    const [major = 0, minor = 0, patch = 0] = code.version.split(".").map((part) => +part || 0);
    return [code.protocol, major, minor, patch, code.walFormat];
  };
  const others = ranks(other);
  for (const [i, rank] of ranks(one).entries()) {
    const difference = rank - (others[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
