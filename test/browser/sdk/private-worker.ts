/** The engine's worker where there is no IndexedDB. */
import "./no-indexeddb.ts";
import "@millrace/engine/worker";
