/** Gets the core for the engine's thread: the build that runs here, fetched and compiled. */
import { supportsSimd } from "../core/simd.ts";
import { WasmLoadError } from "../errors/index.ts";
import type { WasmLocation } from "./messages.ts";

const MAGIC = [0x00, 0x61, 0x73, 0x6d];

/** The error for a core that cannot be had. */
export function wasmLoadError(url: string, why: string, cause?: unknown): WasmLoadError {
  return new WasmLoadError(
    `the core did not load from ${url}: ${why}. Serve core.wasm of @millrace/engine there, or pass ` +
      "`wasm`: its URL",
    { argument: "wasm", value: url, cause },
  );
}

/** Which of the core's builds this machine runs. */
export function chooseCore(wasm: WasmLocation): string {
  return supportsSimd() ? wasm.simd : wasm.scalar;
}

async function fetchBytes(url: string): Promise<{ bytes: ArrayBuffer; type: string }> {
  try {
    const response = await fetch(url);
    const type = response.headers.get("content-type") ?? "no type";
    if (!response.ok) {
      throw wasmLoadError(
        url,
        `the server answers ${response.status} ${response.statusText}`.trim(),
      );
    }
    return { bytes: await response.arrayBuffer(), type };
  } catch (error) {
    if (error instanceof WasmLoadError) throw error;
    throw wasmLoadError(url, `it cannot be fetched (${String(error)})`, error);
  }
}

/** Compiles the core. @throws WasmLoadError, naming `url`, when the bytes are none or a CSP forbids it. */
export async function compileCore(
  url: string,
  bytes: ArrayBuffer,
  type = "unknown type",
): Promise<WebAssembly.Module> {
  const head = new Uint8Array(bytes, 0, Math.min(MAGIC.length, bytes.byteLength));
  if (!MAGIC.every((byte, i) => head[i] === byte)) {
    throw wasmLoadError(
      url,
      `what is there is no Wasm module, but ${bytes.byteLength} bytes of ${type}`,
    );
  }
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    const forbidden = /content security policy|unsafe-eval/i.test(String(error));
    const why = forbidden
      ? "the page's CSP forbids it: add 'wasm-unsafe-eval' to script-src"
      : `it does not compile (${String(error)})`;
    throw wasmLoadError(url, why, error);
  }
}

/** Fetches and compiles the core in a browser. @throws WasmLoadError. */
export async function fetchCore(wasm: WasmLocation): Promise<WebAssembly.Module> {
  const url = chooseCore(wasm);
  const { bytes, type } = await fetchBytes(url);
  return await compileCore(url, bytes, type);
}
