/** Workers that are told to stop: while they join, and while a delivery of theirs never ends. */
import type { EngineClient } from "@millrace/engine";
import { expect, it } from "vitest";
import { openGroup } from "../../src/groups/consumer-group.ts";
import { DirectClient, newGate, settle } from "../direct-client.ts";

/** A client that goes on with the next leader when its own has closed. */
class ChangingClient extends DirectClient {
  leader: Promise<DirectClient> | undefined;
  /** What is let through when it opens. */
  gate: { readonly operation: string; readonly opened: Promise<void> } | undefined;

  override async call(...asking: Parameters<EngineClient["call"]>): Promise<never> {
    if (this.gate?.operation === asking[0]) await this.gate.opened;
    for (;;) {
      const { leader } = this;
      try {
        return await (leader === undefined
          ? super.call(...asking)
          : (await leader).call(...asking));
      } catch (error) {
        if (leader === this.leader) throw error;
      }
    }
  }
}

it("leaves its leases while it joins the next leader", async () => {
  const client = new ChangingClient((await DirectClient.open()).engine);
  const stream = await client.engine.createStream("clicks", 1);
  const group = await openGroup(client, stream, "g", { failoverMs: 60_000 });
  const worker = group.start(() => ({ processRecords: () => undefined }));
  await settle();
  expect(worker.leases).toHaveLength(1);
  const { platform } = client.engine;
  const gate = newGate();
  client.gate = { operation: "memberStatus", opened: gate.opened };
  client.leader = client.engine.service.close().then(() => DirectClient.open(platform));
  await client.leader;
  await settle();
  await platform.clock.advance(1000);
  await settle();
  const stopping = worker.stop();
  await settle();
  gate.open();
  await stopping;
  await settle();
  expect((await group.describe()).leases.map(({ owner }) => owner)).toEqual([null]);
});

it("waits for a join that is not answered for 2 s, and leaves when it is", async () => {
  const client = await DirectClient.open();
  const stream = await client.engine.createStream("clicks", 1);
  const group = await openGroup(client, stream, "g", { failoverMs: 60_000 });
  const { platform } = client.engine;
  const gate = newGate();
  client.before = (operation) => (operation === "groupJoin" ? gate.opened : undefined);
  const worker = group.start(() => ({ processRecords: () => undefined }));
  await settle();
  let stopped = false;
  const stopping = worker.stop({ graceful: false }).then(() => {
    stopped = true;
  });
  await settle();
  expect(stopped).toBe(false);
  await platform.clock.advance(2000);
  await settle();
  expect(stopped).toBe(true);
  await stopping;
  gate.open();
  await settle();
  expect((await group.describe()).leases.map(({ owner }) => owner)).toEqual([null]);
});

it.each([false, true])(
  "does not wait for a delivery that was given up (lease had again: %s)",
  async (again) => {
    const client = await DirectClient.open();
    const { engine } = client;
    const stream = await engine.createStream("clicks", 1);
    await engine.put(stream, [{ key: "k", data: new Uint8Array(1) }]);
    const group = await openGroup(client, stream, "g", {
      from: "TRIM_HORIZON",
      failoverMs: 60_000,
    });
    const processRecords = (): Promise<void> => new Promise<void>(() => undefined);
    const worker = group.start(() => ({ processRecords }), { processMsMax: 5000 });
    await settle();
    if (again) {
      await group.reset("TRIM_HORIZON", { force: true });
      await settle();
    }
    const stopping = worker.stop();
    for (let seconds = 0; seconds < 30; seconds += 3) {
      await settle();
      await engine.platform.clock.advance(3000);
    }
    await stopping;
    expect(worker.closed).toBe(true);
  },
);
