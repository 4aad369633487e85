/** Whether this engine runs Wasm SIMD, and with it which build of the core to load. */

/** A module whose only function uses one SIMD instruction: (func (result v128) i32.const 0 i8x16.splat). */
const PROBE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x05, 0x01, 0x60, 0x00, 0x01, 0x7b],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x0a, 0x08, 0x01, 0x06, 0x00, 0x41, 0x00, 0xfd, 0x0f, 0x0b],
);

/** Whether Wasm SIMD is supported here. */
export function supportsSimd(): boolean {
  return WebAssembly.validate(PROBE);
}

/** File name of the fastest build of the core that runs here. */
export function coreFileName(): "core.wasm" | "core.scalar.wasm" {
  return supportsSimd() ? "core.wasm" : "core.scalar.wasm";
}
