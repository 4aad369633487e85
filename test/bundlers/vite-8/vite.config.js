/** Vite as it comes; the policy is what the test asks for. */
import { defineConfig } from "vite";

export default defineConfig({
  server: { headers: { "content-security-policy": process.env.CONTENT_SECURITY_POLICY ?? "" } },
});
