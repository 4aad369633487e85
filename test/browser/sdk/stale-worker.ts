/** A worker of another version. */
self.addEventListener("message", () => {
  self.postMessage({ millrace: "loaded", protocol: 1, version: "0.0.1", buildId: "source" });
});
