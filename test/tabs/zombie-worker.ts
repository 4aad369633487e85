/** A worker that goes on committing after its lock was stolen. */
import "./zombie-begin.ts";
import "../../engine/host/src/worker.ts";
