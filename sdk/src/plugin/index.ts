/** `millrace/plugin`: what plugins are made of, and what runs them. */
export { checkInteger, checkMembers, checkOneOf, refuse } from "../check.ts";
export type { LeaseRow, LeaseTable } from "../lease-table.ts";
export { definePlugin, type Plugin, type PluginKinds } from "./define-plugin.ts";
export { API_VERSION, type Manifest, type PluginKind } from "./manifest.ts";
export { type OpenTransform, openTransform } from "./open-transform.ts";
export { PluginError } from "./plugin-error.ts";
export { type BatchRecord, type RecordBatch, recordBatch } from "./record-batch.ts";
export type {
  DroppedOutcome,
  FailedOutcome,
  OkOutcome,
  Outcome,
  Transform,
  TransformContext,
} from "./transform.ts";
