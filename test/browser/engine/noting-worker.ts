/** The engine's worker, with every transaction that it makes noted. */
import "./store-log-begin.ts";
import "../../../engine/host/src/worker.ts";
