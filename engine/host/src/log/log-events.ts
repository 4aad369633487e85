/** What a log tells without being asked; the layers above give it names and times. */

/** One thing that happened to a log. */
export type LogEvent =
  /** The store became full, or has room again. */
  | { readonly kind: "storage-full"; readonly full: boolean }
  /** Records of a shard were dropped before their retention ended, to make room. */
  | {
      readonly kind: "records-dropped";
      readonly streamUid: number;
      readonly streamName: string;
      /** `shardId-000000000000`. */
      readonly shardId: string;
      readonly firstSequenceNumber: string;
      readonly lastSequenceNumber: string;
      /** Undefined when it cannot be told. */
      readonly recordCount: number | undefined;
    };
