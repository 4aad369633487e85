/** Where in the site a person is, kept in the query of the address so that it can be linked. */

/** Starting positions of Kinesis, in the order in which the page offers them. */
export const POSITION_TYPES = [
  "TRIM_HORIZON",
  "LATEST",
  "AT_TIMESTAMP",
  "AT_SEQUENCE_NUMBER",
  "AFTER_SEQUENCE_NUMBER",
] as const;

/** A starting position's type, in AWS's words. */
export type PositionType = (typeof POSITION_TYPES)[number];

/** Forms in which a record's data can be shown. */
export const DATA_FORMS = ["json", "text", "hex"] as const;

/** A form in which a record's data is shown. */
export type DataForm = (typeof DATA_FORMS)[number];

/** The Live place; its own settings are in the same query, see `live/settings.ts`. */
export interface LiveAddress {
  readonly place: "live";
}

/** The Storage place: where the bytes are, who writes them, and what was lost. */
export interface StorageAddress {
  readonly place: "storage";
}

/** The Faults place: what can befall an engine, and what comes of it. */
export interface FaultsAddress {
  readonly place: "faults";
}

/** The Consumers place: groups with their leases and workers. */
export interface ConsumersAddress {
  readonly place: "consumers";
  /** The group that is looked at; undefined for the first one. */
  readonly group: string | undefined;
}

/** The Producer place: records made from templates. What is undefined is as at a first visit. */
export interface ProducerAddress {
  readonly place: "producer";
  readonly stream: string | undefined;
  readonly ratePerSecond: number | undefined;
  /** Whether the producer aggregates. */
  readonly aggregation: boolean;
  /** Template of the partition keys. */
  readonly keyTemplate: string | undefined;
  /** Template of the data. */
  readonly dataTemplate: string | undefined;
}

/** The Pipelines place: stages between streams. */
export interface PipelinesAddress {
  readonly place: "pipelines";
}

/** The Sync place: a stream that is shipped to another engine, whatever the network does. */
export interface SyncAddress {
  readonly place: "sync";
}

/** The list of streams. */
export interface ListAddress {
  readonly place: "streams";
  readonly view: "list";
}

/** The shards of one stream. */
export interface ShardsAddress {
  readonly place: "streams";
  readonly view: "shards";
  readonly stream: string;
  /** The shard that is looked at; undefined for none. */
  readonly shardIndex: number | undefined;
}

/** The records of one stream. */
export interface RecordsAddress {
  readonly place: "streams";
  readonly view: "records";
  readonly stream: string;
  /** The shard that is read; undefined for all. */
  readonly shardIndex: number | undefined;
  readonly from: PositionType;
  /** For AT_TIMESTAMP: ms since the Unix epoch. */
  readonly atMs: number | undefined;
  /** For the two positions at a sequence number: decimal digits. */
  readonly sequence: string | undefined;
  /** Only records that contain this are listed; empty for all. */
  readonly filter: string;
  readonly form: DataForm;
  /** Sequence number of the record that is looked at; undefined for none. */
  readonly record: string | undefined;
}

/** Any place of the site. */
export type Address =
  | LiveAddress
  | StorageAddress
  | FaultsAddress
  | ConsumersAddress
  | ProducerAddress
  | PipelinesAddress
  | SyncAddress
  | ListAddress
  | ShardsAddress
  | RecordsAddress;

/** Places that a query can name; none is Live. */
const PLACES = [
  "streams",
  "consumers",
  "producer",
  "pipelines",
  "sync",
  "storage",
  "faults",
] as const;

/** Names of streams and of consumer groups. */
const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/;
const SEQUENCE_NUMBER = /^(0|[1-9]\d{0,128})$/;
const SHARD_INDEX = /^\d{1,9}$/;
const FILTER_CHARACTERS_MAX = 200;
const TEMPLATE_CHARACTERS_MAX = 4000;
const RATE = /^\d{1,5}$/;

function matching(query: URLSearchParams, name: string, pattern: RegExp): string | undefined {
  const text = query.get(name);
  return text !== null && pattern.test(text) ? text : undefined;
}

function oneOf<Value extends string>(
  query: URLSearchParams,
  name: string,
  values: readonly Value[],
): Value | undefined {
  const text = query.get(name);
  return values.find((value) => value === text);
}

function timeIn(query: URLSearchParams, name: string): number | undefined {
  const atMs = Date.parse(query.get(name) ?? "");
  return Number.isFinite(atMs) ? atMs : undefined;
}

/** A records view at its beginning: all shards from the oldest record on. */
export function recordsOf(stream: string): RecordsAddress {
  return {
    ...{ place: "streams", view: "records", stream, shardIndex: undefined, from: "TRIM_HORIZON" },
    ...{ atMs: undefined, sequence: undefined, filter: "", form: "json", record: undefined },
  };
}

function recordsIn(query: URLSearchParams, stream: string, shardIndex: number | undefined) {
  const sequence = matching(query, "sequence", SEQUENCE_NUMBER);
  const atMs = timeIn(query, "at");
  const wanted = oneOf(query, "from", POSITION_TYPES) ?? "TRIM_HORIZON";
  const lacking =
    (wanted.endsWith("SEQUENCE_NUMBER") && sequence === undefined) ||
    (wanted === "AT_TIMESTAMP" && atMs === undefined);
  const from = lacking ? "TRIM_HORIZON" : wanted;
  const selected = matching(query, "record", SEQUENCE_NUMBER);
  return {
    ...recordsOf(stream),
    ...{ shardIndex, from, sequence, atMs },
    filter: (query.get("filter") ?? "").slice(0, FILTER_CHARACTERS_MAX),
    form: oneOf(query, "form", DATA_FORMS) ?? "json",
    record: selected ?? (from === "AT_SEQUENCE_NUMBER" ? sequence : undefined),
  };
}

/** A producer as at a first visit. */
export function producerOf(stream?: string): ProducerAddress {
  return {
    ...{ place: "producer", stream, ratePerSecond: undefined, aggregation: true },
    ...{ keyTemplate: undefined, dataTemplate: undefined },
  };
}

function producerIn(query: URLSearchParams): ProducerAddress {
  const rate = matching(query, "persecond", RATE);
  return {
    ...producerOf(matching(query, "stream", STREAM_NAME)),
    ratePerSecond: rate === undefined ? undefined : Number(rate),
    aggregation: query.get("aggregation") !== "off",
    keyTemplate: query.get("key")?.slice(0, TEMPLATE_CHARACTERS_MAX),
    dataTemplate: query.get("data")?.slice(0, TEMPLATE_CHARACTERS_MAX),
  };
}

/** The place that a query names; what it does not know falls back to what stands above it. */
export function addressOf(search: string): Address {
  const query = new URLSearchParams(search);
  const place = oneOf(query, "place", PLACES);
  switch (place) {
    case undefined:
      return { place: "live" };
    case "consumers":
      return { place, group: matching(query, "group", STREAM_NAME) };
    case "producer":
      return producerIn(query);
    case "streams":
      return streamsIn(query);
    default:
      return { place };
  }
}

function streamsIn(query: URLSearchParams): Address {
  const stream = matching(query, "stream", STREAM_NAME);
  if (stream === undefined) return { place: "streams", view: "list" };
  const shard = matching(query, "shard", SHARD_INDEX);
  const shardIndex = shard === undefined ? undefined : Number(shard);
  if (query.get("tab") === "records") return recordsIn(query, stream, shardIndex);
  return { place: "streams", view: "shards", stream, shardIndex };
}

function recordsQuery(address: RecordsAddress): Record<string, string | undefined> {
  const { from, atMs, sequence, filter, form, record } = address;
  const bySequence = from.endsWith("SEQUENCE_NUMBER");
  const implied = from === "AT_SEQUENCE_NUMBER" ? sequence : undefined;
  return {
    from: from === "TRIM_HORIZON" ? undefined : from,
    at: from === "AT_TIMESTAMP" && atMs !== undefined ? new Date(atMs).toISOString() : undefined,
    sequence: bySequence ? sequence : undefined,
    filter: filter === "" ? undefined : filter,
    form: form === "json" ? undefined : form,
    record: record === implied ? undefined : record,
  };
}

function producerQuery(address: ProducerAddress): Record<string, string | undefined> {
  const { stream, ratePerSecond, aggregation, keyTemplate, dataTemplate } = address;
  return {
    stream,
    persecond: ratePerSecond === undefined ? undefined : String(ratePerSecond),
    aggregation: aggregation ? undefined : "off",
    key: keyTemplate,
    data: dataTemplate,
  };
}

/** The query of a place with members that are there. */
function queryOf(place: string, members: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams({ place });
  for (const [name, value] of Object.entries(members)) {
    if (value !== undefined) query.set(name, value);
  }
  return `?${query}`;
}

function streamsQuery(
  address: ListAddress | ShardsAddress | RecordsAddress,
): Record<string, string | undefined> {
  if (address.view === "list") return {};
  const { stream, view, shardIndex } = address;
  return {
    ...{ stream, tab: view },
    shard: shardIndex === undefined ? undefined : String(shardIndex),
    ...(view === "records" ? recordsQuery(address) : {}),
  };
}

/** The query that stands for a place, with its question mark; empty for Live. */
export function searchOfAddress(address: Address): string {
  if (address.place === "live") return "";
  const { place } = address;
  switch (place) {
    case "streams":
      return queryOf(place, streamsQuery(address));
    case "consumers":
      return queryOf(place, { group: address.group });
    case "producer":
      return queryOf(place, producerQuery(address));
    default:
      return queryOf(place, {});
  }
}

/** Title of the document at a place. */
export function titleOf(address: Address): string {
  if (address.place !== "streams" || address.view === "list") {
    return `${address.place.charAt(0).toUpperCase()}${address.place.slice(1)} · Millrace`;
  }
  const view = address.view === "shards" ? "Shards" : "Records";
  return `${view} of ${address.stream} · Millrace`;
}
