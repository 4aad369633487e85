/** What a remote reading takes its batches from: one source for each shard, polled or pushed. */
import type { RecordBatch, ShardDescription } from "@millrace/engine";
import type { CheckedReadOptions } from "../read-options.ts";
import type { RemoteCalls } from "./remote-calls.ts";

/** What one turn of a shard brought. */
export interface SourceAnswer {
  /** May be empty. */
  readonly batch: RecordBatch;
  /** Nothing more is to be read of the shard. */
  readonly done: boolean;
}

/** The batches of one shard. */
export interface ShardSource {
  /** The next batch; called again only when it is settled. @throws the signal's reason; MillraceError. */
  next(signal: AbortSignal): Promise<SourceAnswer>;
  /** Ends what is under way. */
  close(): void;
}

/** Where the reading of a shard begins. */
export type SourceStart = CheckedReadOptions["position"];

/** What a source is made of. */
export interface SourceParts {
  readonly calls: RemoteCalls;
  readonly streamName: string;
  readonly shard: Pick<ShardDescription, "shardId">;
  readonly start: SourceStart;
}
