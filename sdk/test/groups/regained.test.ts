/** Workers that are stopped while a delivery is under way whose lease was lost, and had again. */
import { expect, it } from "vitest";
import { openGroup } from "../../src/groups/consumer-group.ts";
import { DirectClient, newGate, settle } from "../direct-client.ts";

it.each([false, true])("await the delivery (lease had again: %s)", async (regained) => {
  const client = await DirectClient.open();
  const stream = await client.engine.createStream("clicks", 1);
  await client.engine.put(stream, [{ key: "k", data: new Uint8Array(1) }]);
  const group = await openGroup(client, stream, "g", { from: "TRIM_HORIZON", failoverMs: 60_000 });
  const delivery = newGate();
  let underWay = 0;
  const worker = group.start(() => ({
    processRecords: async () => {
      underWay += 1;
      await delivery.opened;
      underWay -= 1;
    },
  }));
  await settle();
  expect(underWay).toBe(1);
  if (regained) {
    await group.reset("TRIM_HORIZON", { force: true });
    await settle();
    expect(worker.leases).toHaveLength(1);
  }
  let underWayAtEnd: number | undefined;
  const stopping = worker.stop().then(() => {
    underWayAtEnd = underWay;
  });
  await settle();
  expect(underWayAtEnd).toBeUndefined();
  delivery.open();
  await stopping;
  expect(underWayAtEnd).toBe(0);
  await client.close();
});
