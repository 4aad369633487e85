/** What a worker needs of wherever it runs: time, and whether what it works over was closed. */
import type { EngineClient } from "@millrace/engine";

/** See above. An engine's client is one. */
export type WorkerSurroundings = Pick<EngineClient, "clock" | "closed">;
