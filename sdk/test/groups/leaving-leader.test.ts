/** Workers that leave while the leader changes: the next leader does not wait for them. */
import type { EngineClient } from "@millrace/engine";
import { expect, it } from "vitest";
import { virtualPlatform } from "../../../engine/host/src/platform/virtual-platform.ts";
import { microtasks } from "../../../engine/host/test/support/turns.ts";
import { openGroup } from "../../src/groups/consumer-group.ts";
import { DirectClient, settle } from "../direct-client.ts";

/** More than leaving takes. */
const MICROTASKS_MAX = 40;

/** A client whose leader changes; what one left without an answer goes to the next one. */
class ChangingClient extends DirectClient {
  #leader: Promise<DirectClient> | undefined;

  override async call(...asking: Parameters<EngineClient["call"]>): Promise<never> {
    for (;;) {
      const leader = this.#leader;
      try {
        return await (leader === undefined
          ? super.call(...asking)
          : (await leader).call(...asking));
      } catch (error) {
        if (leader === this.#leader) throw error;
      }
    }
  }

  async change(): Promise<void> {
    const { platform } = this.engine;
    this.#leader = this.engine.service.close().then(() => DirectClient.open(platform));
    await this.#leader;
  }

  override async close(): Promise<void> {
    await (await this.#leader)?.close();
  }
}

it("whenever the leader changes", async () => {
  for (let between = 0; between <= MICROTASKS_MAX; between += 4) {
    const client = new ChangingClient((await DirectClient.open(virtualPlatform())).engine);
    const stream = await client.engine.createStream("clicks", 1);
    const group = await openGroup(client, stream, "g", { failoverMs: 60_000 });
    const worker = group.start(() => ({ processRecords: () => undefined }));
    await settle();
    expect(worker.leases).toHaveLength(1);
    const stopping = worker.stop();
    await microtasks(between);
    await client.change();
    await stopping;
    const { leases } = await group.describe();
    expect(
      leases.map(({ owner }) => owner),
      `${between} microtasks`,
    ).toEqual([null]);
    await client.close();
  }
});
