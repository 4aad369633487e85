/** An engine in a test page, from the worker and the core that the test's server has. */
import { EngineInUseError, type Millrace, open } from "millrace";

const LOCK_WAIT_MS = 5_000;

/**
 * Opens an engine on IndexedDB. The worker of a page that was just left may hold the lock a moment
 * longer; it is waited for.
 */
export async function openInPage(name: string, memoryBudgetBytes: number): Promise<Millrace> {
  const deadlineMs = performance.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      return await open({ name, memoryBudgetBytes, worker: "/worker.js", wasm: "/wasm/core.wasm" });
    } catch (error) {
      if (!(error instanceof EngineInUseError) || performance.now() > deadlineMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
