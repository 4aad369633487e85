/** Begins to note before any module that is imported after this one. */
import { noteStores } from "./store-log.ts";

noteStores();
