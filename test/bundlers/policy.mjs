/** Content security policies of the pages: strict, and what an entry or a tool needs beyond that. */
import { createHash } from "node:crypto";

const STRICT = {
  "default-src": ["'self'"],
  "script-src": ["'self'", "'wasm-unsafe-eval'"],
  "worker-src": ["'self'"],
  "connect-src": ["'self'"],
  "object-src": ["'none'"],
  "base-uri": ["'none'"],
};

/** The strict policy with more sources in some of its directives. */
export function policy(more = {}) {
  const directives = { ...STRICT };
  for (const [name, sources] of Object.entries(more)) {
    directives[name] = [...(STRICT[name] ?? ["'self'"]), ...sources];
  }
  return Object.entries(directives)
    .map(([name, sources]) => `${name} ${sources.join(" ")}`)
    .join("; ");
}

/** The source that allows one inline script, as an import map is. */
export function hashSource(text) {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
