/** What is to be made at AWS for an engine, before it is written in the words of a tool: plain data. */
import type { PolicyNode } from "./policy.ts";

/** A key that streams are encrypted under, which whoever deploys names. */
export interface KeyPlan {
  readonly keyId: string;
  /** Its alias without `alias/`, or its id. */
  readonly label: string;
  /** Alias that stands for it when nobody names another; undefined for a key without one. */
  readonly defaultName: string | undefined;
}

/** A registered consumer. */
export interface ConsumerPlan {
  readonly name: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly policy: PolicyNode | undefined;
}

/** A stream with its consumers. */
export interface StreamPlan {
  readonly name: string;
  readonly mode: "PROVISIONED" | "ON_DEMAND";
  /** Open shards; what an on-demand stream has is AWS's to decide. */
  readonly shards: number;
  readonly retentionHours: number;
  readonly recordKibMax: number;
  /** Warm throughput in MiB/s; 0 for none. */
  readonly warmMibps: number;
  readonly shardMetrics: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  readonly key: KeyPlan | undefined;
  readonly policy: PolicyNode | undefined;
  readonly consumers: readonly ConsumerPlan[];
  /** What of the stream has no counterpart, a sentence or two each. */
  readonly notes: readonly string[];
}

/** Everything that is to be made. */
export interface Deployment {
  readonly engineName: string;
  /** By name; at least one. */
  readonly streams: readonly StreamPlan[];
  /** Of all streams, by label. */
  readonly keys: readonly KeyPlan[];
  /** What of the engine as a whole has no counterpart. */
  readonly notes: readonly string[];
}

/** Infrastructure code. */
export interface InfrastructureCode {
  readonly text: string;
  /** All that the code does not say of the engine; the text holds each of them, too. */
  readonly notes: readonly string[];
}

/** A note with the stream that it is about, for a reader who does not see the stream beside it. */
export function noteOf(stream: StreamPlan, note: string): string {
  return `stream ${stream.name}: ${note}`;
}
