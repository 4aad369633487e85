/** What a tab does in the runs with replications: puts orders, ships them elsewhere, and says how far it is. */
import type { Millrace, Replication, ReplicationStatus } from "millrace";
import { kinesis, type RemoteMillrace } from "millrace/remote";
import { putOrders, STREAM } from "../replication/orders.ts";

const DATA_BYTES = 300;
const SHARDS = 2;
const DEADLINE_MS = 1500;
const CREDENTIALS = { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "any" };

/** Makes the stream and puts so many orders. */
export async function fillOrders(millrace: Millrace, records: number): Promise<void> {
  await putOrders(
    await millrace.streams.ensure(STREAM, { shards: SHARDS }),
    0,
    records,
    DATA_BYTES,
  );
}

/** Opens the far side that is at an endpoint. */
export async function openFar(endpoint: string): Promise<RemoteMillrace> {
  const options = { region: "us-east-1", credentials: CREDENTIALS, deadlineMs: DEADLINE_MS };
  const backend = kinesis({ endpoint, ...options });
  return await backend.open({ backend });
}

/** Has a job ship the orders to an endpoint, whichever tab hosts it. */
export async function defineShipping(millrace: Millrace, endpoint: string): Promise<void> {
  await millrace.jobs.define("ship-orders", {
    ...{ module: "/ship-job.js", export: "ship", settings: endpoint },
    group: { streamName: STREAM, options: { from: "TRIM_HORIZON" } },
  });
}

/** Ships the orders to an endpoint until the tab is at its end. */
export class OrderShipping {
  readonly #remote: RemoteMillrace;
  readonly #replication: Replication;
  readonly #failures: string[] = [];

  private constructor(remote: RemoteMillrace, replication: Replication) {
    this.#remote = remote;
    this.#replication = replication;
    replication.on("failed", ({ error }) => this.#failures.push(String(error)));
  }

  static async start(millrace: Millrace, endpoint: string): Promise<OrderShipping> {
    const remote = await openFar(endpoint);
    const local = await millrace.streams.get(STREAM);
    for (;;) {
      try {
        const replication = await local.replicateTo(await remote.streams.get(STREAM));
        return new OrderShipping(remote, replication);
      } catch {
        // The description of the far side may fail by chance, too.
      }
    }
  }

  async report(): Promise<ReplicationStatus & { readonly failures: readonly string[] }> {
    return { ...(await this.#replication.status()), failures: this.#failures };
  }

  async stop(): Promise<void> {
    await this.#replication.stop();
    await this.#remote.close();
  }
}
