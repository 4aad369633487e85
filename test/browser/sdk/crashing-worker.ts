/** The engine's worker, which can be told to fail. */
import "@millrace/engine/worker";

self.addEventListener("message", (event) => {
  if (event.data === "crash") throw new Error("crashed on purpose");
});
