/** Gets the core for the engine's thread: the build that runs here, fetched and compiled. */
import { CORE_EXPORT_NAMES } from "../core/core-exports.ts";
import { supportsSimd } from "../core/simd.ts";
import { seeLoadingPage, WasmLoadError } from "../errors/index.ts";
import { pause, withDeadline } from "../platform/deadline.ts";
import type { Clock } from "../platform/platform.ts";
import { systemClock } from "../platform/system-clock.ts";
import type { WasmLocation } from "./messages.ts";

/** The core's builds in base64: in a worker that carries them with it. Absent when the sources run as they are. */
declare const MILLRACE_CORE_BASE64: WasmLocation | undefined;

/** The URL of a core that the worker carries with it. */
const CARRIED = "inline:core.wasm";

/** How long a server may take for the core, in ms. */
const FETCH_MS = 30_000;
/** How long the news of a violation of the CSP may take, in ms. */
const VIOLATION_MS = 50;

const MAGIC = [0x00, 0x61, 0x73, 0x6d];

/** The error for a core that cannot be had. */
export function wasmLoadError(url: string, why: string, cause?: unknown): WasmLoadError {
  return new WasmLoadError(
    seeLoadingPage(
      `the core did not load from ${url}: ${why}. Serve core.wasm of @millrace/engine there, or pass ` +
        "`wasm`: its URL",
    ),
    { argument: "wasm", value: url, cause },
  );
}

/** Which of the core's builds this machine runs. */
export function chooseCore(wasm: WasmLocation): string {
  return supportsSimd() ? wasm.simd : wasm.scalar;
}

/** Fetches all of it within the deadline. @throws WasmLoadError. */
async function fetchBytes(
  url: string,
  clock: Clock,
): Promise<{ bytes: ArrayBuffer; type: string }> {
  let forbidden = "";
  const notice = ({ effectiveDirective }: SecurityPolicyViolationEvent): void => {
    forbidden = `: a CSP forbids it, see its ${effectiveDirective}`;
  };
  globalThis.addEventListener?.("securitypolicyviolation", notice);
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
    // What a CSP forbids is told a moment later.
    await pause(clock, VIOLATION_MS);
    throw wasmLoadError(url, `it cannot be fetched (${String(error)})${forbidden}`, error);
  } finally {
    globalThis.removeEventListener?.("securitypolicyviolation", notice);
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
  let module: WebAssembly.Module;
  try {
    module = await WebAssembly.compile(bytes);
  } catch (error) {
    const forbidden = /content security policy|unsafe-eval/i.test(String(error));
    const why = forbidden
      ? "the page's CSP forbids it: add 'wasm-unsafe-eval' to script-src"
      : `it does not compile (${String(error)})`;
    throw wasmLoadError(url, why, error);
  }
  const names = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  if (CORE_EXPORT_NAMES.every((name) => names.has(name))) return module;
  throw wasmLoadError(url, "what is there is not the core of this build");
}

function carriedCore(): WasmLocation | undefined {
  return typeof MILLRACE_CORE_BASE64 === "undefined" ? undefined : MILLRACE_CORE_BASE64;
}

/**
 * Fetches and compiles the core in a browser; a worker that carries it with it has nothing to fetch.
 *
 * @throws WasmLoadError, also when it is not there after 30 s.
 */
export async function fetchCore(
  wasm: WasmLocation,
  clock: Clock = systemClock,
): Promise<WebAssembly.Module> {
  const url = chooseCore(wasm);
  const carried = carriedCore();
  if (carried !== undefined && url === CARRIED) {
    // Not as a data: URL, which a CSP would have to allow.
    const bytes = Uint8Array.from(atob(chooseCore(carried)), (char) => char.charCodeAt(0));
    return await compileCore(url, bytes.buffer);
  }
  const late = (): WasmLoadError =>
    wasmLoadError(url, `the server did not send it within ${FETCH_MS} ms`);
  const { bytes, type } = await withDeadline(clock, FETCH_MS, fetchBytes(url, clock), late);
  return await compileCore(url, bytes, type);
}
