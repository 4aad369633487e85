/** Streams whose deletion is overdue when an engine opens: their groups go with them. */
import { expect, it } from "vitest";
import { virtualPlatform } from "../../src/platform/virtual-platform.ts";
import { TestEngine } from "../support/engines.ts";
import { createGroup } from "../support/groups.ts";

it("leaves no group of a stream whose time was over while nobody led", async () => {
  const platform = virtualPlatform();
  const options = { transitionMs: 1000 };
  const first = await TestEngine.open(platform, options);
  const stream = await first.createStream("clicks", 1);
  await platform.clock.advance(2000);
  await createGroup(first.service, stream);
  await first.service.call("deleteStream", { name: "clicks" });
  await first.service.close();
  await platform.clock.advance(2000);
  const later = await TestEngine.open(platform, options);
  expect(await later.service.call("listStreams", {}).catch(() => [])).toEqual([]);
  expect(await later.service.call("groupsList", {})).toEqual([]);
  await expect(later.service.call("groupsDescribe", { name: "group" })).rejects.toThrow(
    "not found",
  );
  await later.createStream("other", 1);
  await platform.clock.advance(2000);
  await later.service.call("groupsCreate", {
    name: "group",
    streamName: "other",
    startingPosition: { type: "LATEST" },
  });
  await later.service.close();
});
