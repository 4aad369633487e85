/** Tags: the three operations for streams by name, and the three for any resource by ARN. */
import { streamPrefix } from "../../streams/documents.ts";
import {
  sortedTags,
  type TaggedResource,
  taggedStream,
  taggingRecords,
  tagsOf,
  untaggingRecords,
} from "../../streams/tags.ts";
import { locateActiveStream, locateStream } from "./located-stream.ts";
import type { Operation, OperationContext, OperationTable } from "./operation.ts";
import { namedResource, requireActiveResource } from "./resources.ts";

const addTagsToStream: Operation<"AddTagsToStream"> = async (context, input, caller) => {
  const call = { operation: "AddTagsToStream", caller } as const;
  await context.catalogue.change(() => {
    const stream = taggedStream(locateActiveStream(context, input, call));
    return taggingRecords(context.documents, stream, input.Tags);
  });
  return undefined;
};

const removeTagsFromStream: Operation<"RemoveTagsFromStream"> = async (context, input, caller) => {
  const call = { operation: "RemoveTagsFromStream", caller } as const;
  await context.catalogue.change(() => {
    const stream = taggedStream(locateActiveStream(context, input, call));
    return untaggingRecords(context.documents, stream, input.TagKeys);
  });
  return undefined;
};

const listTagsForStream: Operation<"ListTagsForStream"> = (context, input, caller) => {
  const stream = locateStream(context, input, { operation: "ListTagsForStream", caller });
  const { ExclusiveStartTagKey: after, Limit } = input;
  const tags = sortedTags(tagsOf(context.documents, streamPrefix(stream.uid)));
  const left = after === undefined ? tags : tags.filter(({ Key }) => Key > after);
  const page = left.slice(0, Limit ?? left.length);
  return { Tags: page, HasMoreTags: page.length < left.length };
};

const tagResource: Operation<"TagResource"> = async (context, input, { principal }) => {
  await context.catalogue.change(() => {
    const resource = taggedResource(context, input, principal, "TagResource");
    return taggingRecords(context.documents, resource, input.Tags);
  });
  return undefined;
};

const untagResource: Operation<"UntagResource"> = async (context, input, { principal }) => {
  await context.catalogue.change(() => {
    const resource = taggedResource(context, input, principal, "UntagResource");
    return untaggingRecords(context.documents, resource, input.TagKeys);
  });
  return undefined;
};

const listTagsForResource: Operation<"ListTagsForResource"> = (context, input, { principal }) => {
  const resource = namedResource(context, input);
  context.access.check(principal, "ListTagsForResource", resource);
  return { Tags: sortedTags(tagsOf(context.documents, resource.key)) };
};

/** The operations of this family. */
export const tagOperations: Pick<
  OperationTable,
  | "AddTagsToStream"
  | "RemoveTagsFromStream"
  | "ListTagsForStream"
  | "TagResource"
  | "UntagResource"
  | "ListTagsForResource"
> = {
  AddTagsToStream: addTagsToStream,
  RemoveTagsFromStream: removeTagsFromStream,
  ListTagsForStream: listTagsForStream,
  TagResource: tagResource,
  UntagResource: untagResource,
  ListTagsForResource: listTagsForResource,
};

/** A consumer may be tagged from the moment it is CREATING; streams and channels have to be ACTIVE. */
function taggedResource(
  context: OperationContext,
  input: { readonly ResourceARN: string; readonly StreamId?: string | undefined },
  principal: string,
  operation: "TagResource" | "UntagResource",
): TaggedResource {
  const resource = namedResource(context, input);
  context.access.check(principal, operation, resource);
  if (resource.kind !== "consumer") requireActiveResource(context, resource);
  return resource;
}
