/** A worker that only follows, and hears no announcement of a new leader. */
import "./sticky-begin.ts";
import "../../engine/host/src/worker.ts";
