/** Runs before the engine's modules: see `ignoreTheft`. */
import { ignoreTheft } from "./worker-patches.ts";

ignoreTheft();
