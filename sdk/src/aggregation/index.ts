/** millrace/aggregation: the KPL's aggregated records, to and fro. */
export { encodeAggregate } from "./aggregate-builder.ts";
export { decodeAggregate } from "./aggregate-decoder.ts";
export { type AggregateMember, type AggregateTag, hasAggregateMagic } from "./format.ts";
export {
  deaggregate,
  explodesInto,
  memberFallsInto,
  type ReadRecord,
  type RoutedMember,
  type ShardHashKeys,
  UserRecord,
} from "./user-record.ts";
