/** The job of the runs with replications: ships the orders to the endpoint that its settings name. */
import { defineReplication } from "millrace";
import { STREAM } from "../replication/orders.ts";
import { openFar } from "./replication-tab.ts";

/** See above. */
export const ship = defineReplication(
  async ({ settings }) => await (await openFar(String(settings))).streams.get(STREAM),
);
