/** Entry of the site. */
import "./trusted-scripts.ts";
import "./views/app.ts";
