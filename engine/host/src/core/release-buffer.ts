/**
 * Gives the memory of a buffer back at once, where the platform can do that: a log moves megabytes, and
 * a collector that waits for its moment lets tens of them lie about.
 */
export function releaseBuffer(bytes: Uint8Array | ArrayBuffer): void {
  const buffer = bytes instanceof Uint8Array ? bytes.buffer : bytes;
  if (!(buffer instanceof ArrayBuffer) || buffer.byteLength === 0) return;
  // Node 20 has no transfer(); there the collector does it in its time.
  const transfer: unknown = Reflect.get(buffer, "transfer");
  if (typeof transfer === "function") Reflect.apply(transfer, buffer, [0]);
}
