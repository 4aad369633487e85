/** What Vite before 8 needs in dev: bundled in advance, the engine would not find its worker. */
import { defineConfig } from "vite";

export default defineConfig({
  optimizeDeps: { exclude: ["@millrace/engine"] },
  server: { headers: { "content-security-policy": process.env.CONTENT_SECURITY_POLICY ?? "" } },
});
