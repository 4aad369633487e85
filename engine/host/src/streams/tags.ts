/** Tags of streams, consumers and channels: what a set of them may be, and the document that keeps it. */
import { ACCOUNT_ID, InvalidArgumentError } from "../errors/index.ts";
import type { ControlRecord, StreamDefinition } from "../log/control-records.ts";
import { type Documents, streamPrefix } from "./documents.ts";

/** Tags of one resource. */
export const TAGS_MAX = 50;
/** AWS's longest key of a tag, in characters. */
export const TAG_KEY_LENGTH_MAX = 128;

/** Tags by key. */
export type Tags = Readonly<Record<string, string>>;

/** What is tagged. */
export interface TaggedResource {
  /** As AWS's messages name it: "stream clicks", "consumer app". */
  readonly label: string;
  /** Document prefix of the resource, as in `stream/7/`. */
  readonly key: string;
}

/** What keys and values consist of. */
const TEXT = /^[\p{L}\p{N}\p{Z}_.:/=+\-@%]*$/u;
/** Keys that begin with this belong to AWS, in whatever case. */
const RESERVED = "aws:";

/** A stream as what is tagged. */
export function taggedStream({ name, uid }: StreamDefinition): TaggedResource {
  return { label: `stream ${name}`, key: streamPrefix(uid) };
}

/** Document key of a resource's tags. */
export function tagsKey(resourceKey: string): string {
  return `${resourceKey}tags`;
}

/** A resource's tags. */
export function tagsOf(documents: Documents, resourceKey: string): Tags {
  return documents.get<Tags>(tagsKey(resourceKey)) ?? {};
}

/** A resource's tags as a list in the order of their keys. */
export function sortedTags(tags: Tags): { readonly Key: string; readonly Value: string }[] {
  return Object.entries(tags)
    .map(([Key, Value]) => ({ Key, Value }))
    .sort((left, right) => (left.Key < right.Key ? -1 : 1));
}

/**
 * The records that put tags on a resource, over those of the same keys in `before`: the tags that it
 * has, and none for a resource that is being created.
 *
 * @throws InvalidArgumentError for reserved keys, characters that tags do not have, and over 50 tags.
 */
export function taggingRecords(
  documents: Documents,
  resource: TaggedResource,
  added: Tags,
  before: Tags = tagsOf(documents, resource.key),
): ControlRecord[] {
  checkTexts(Object.entries(added).flat());
  const reserved = Object.keys(added).find((key) => key.toLowerCase().startsWith(RESERVED));
  if (reserved !== undefined) {
    throw refused(
      "add tags to",
      resource,
      `some tag keys begin with the reserved prefix ${RESERVED}`,
      { argument: "Tags", value: reserved },
    );
  }
  const tags = { ...before, ...added };
  const count = Object.keys(tags).length;
  if (count > TAGS_MAX) {
    const kind = resource.label.split(" ")[0] ?? "resource";
    throw refused(
      "add tags to",
      resource,
      `a given ${kind} cannot have more than ${TAGS_MAX} tags associated with it`,
      { argument: "Tags", value: count, limit: TAGS_MAX },
    );
  }
  if (count === 0) return [];
  return [documents.putting(tagsKey(resource.key), tags)];
}

/**
 * The records that take tags off a resource. Keys that it does not have are passed over.
 *
 * @throws InvalidArgumentError for characters that tags do not have.
 */
export function untaggingRecords(
  documents: Documents,
  resource: TaggedResource,
  keys: readonly string[],
): ControlRecord[] {
  checkTexts(keys);
  const before = Object.entries(tagsOf(documents, resource.key));
  const left = before.filter(([key]) => !keys.includes(key));
  if (left.length === before.length) return [];
  const key = tagsKey(resource.key);
  if (left.length === 0) return [documents.deleting(key)];
  return [documents.putting(key, Object.fromEntries(left))];
}

function checkTexts(texts: readonly string[]): void {
  const bad = texts.find((text) => !TEXT.test(text));
  if (bad === undefined) return;
  throw new InvalidArgumentError(
    "Some tags contain invalid characters. Valid characters: " +
      "Unicode letters, digits, white space, _ . / = + - % @.",
    { argument: "Tags", value: bad.slice(0, 128) },
  );
}

function refused(
  action: string,
  resource: TaggedResource,
  reason: string,
  details: { argument: string; value: string | number; limit?: number },
): InvalidArgumentError {
  return new InvalidArgumentError(
    `Failed to ${action} ${resource.label} under account ${ACCOUNT_ID} because ${reason}.`,
    details,
  );
}
