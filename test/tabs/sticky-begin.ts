/** Runs before the engine's modules: see `neverLead` and `ignoreAnnouncements`. */
import { ignoreAnnouncements, neverLead } from "./worker-patches.ts";

neverLead();
ignoreAnnouncements();
