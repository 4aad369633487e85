/** Unit tests in Node, over the sources of every package. */
import { defineConfig } from "vitest/config";

const conditions = ["@millrace/source"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    coverage: {
      provider: "v8",
      include: ["engine/host/src/**", "sdk/src/**", "plugins/*/src/**"],
      reporter: ["text", "lcov"],
      reportsDirectory: "coverage/vitest",
    },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          environment: "node",
          include: [
            "{engine/*,sdk,plugins/*,site}/test/**/*.test.ts",
            "test/conformance/**/*.test.ts",
            "test/tools/**/*.test.{ts,mjs}",
          ],
          globals: true,
          testTimeout: 30_000,
        },
      },
    ],
  },
});
