/** Entry of a page without a framework. */
import { start } from "./stream-page.js";

start();
