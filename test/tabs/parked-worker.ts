/** A worker that only follows. */
import "./parked-begin.ts";
import "../../engine/host/src/worker.ts";
