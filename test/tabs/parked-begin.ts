/** Runs before the engine's modules: see `neverLead`. */
import { neverLead } from "./worker-patches.ts";

neverLead();
