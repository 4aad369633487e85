/** A log as one file: given out as a stream of bytes, and taken in again under another name. Loaded on demand. */
import { type EngineClient, InvalidArgumentError } from "@millrace/engine";

/** Time in ms that one piece may take: the store may be slow, and a checkpoint may come first. */
const PIECE_MS_MAX = 300_000;
/** Bytes that go to the engine at once. */
const PIECE_BYTES_MAX = 4_194_304;

/** What was imported. */
export interface ImportReport {
  /** Frames of the write-ahead log. */
  readonly frames: number;
  readonly segments: number;
  /** Bytes of frames and segments. */
  readonly byteLength: number;
  /** Random id of the log from now on, 32 hexadecimal digits. */
  readonly incarnation: string;
}

/** What a log can be imported from. */
export type ImportSource = ReadableStream<Uint8Array> | Blob;

/** The pieces of an engine's log, the first one when it is asked for. */
export async function* exportPieces(client: EngineClient): AsyncGenerator<Uint8Array> {
  const { id } = await client.call("openExport", {}, PIECE_MS_MAX);
  try {
    for (let number = 1; ; number++) {
      const piece = await client.call("readExport", { id, piece: number }, PIECE_MS_MAX);
      if (piece === null) return;
      yield piece;
    }
  } finally {
    await client.call("closeExport", { id }).catch(() => undefined);
  }
}

/** Sends an export into an engine that was opened to be imported into, and closes it. */
export async function importInto(
  client: EngineClient,
  source: ImportSource,
  signal: AbortSignal | undefined,
): Promise<ImportReport> {
  try {
    const stream = source instanceof Blob ? source.stream() : source;
    const reader = stream.getReader();
    // A source that gives nothing must not keep an import that is called off.
    const cancel = (): void => stopReading(reader, signal?.reason);
    signal?.addEventListener("abort", cancel, { once: true });
    try {
      for (;;) {
        signal?.throwIfAborted();
        const { done, value } = await reader.read();
        if (done) break;
        await send(client, value);
      }
      signal?.throwIfAborted();
    } catch (error) {
      // Whoever makes the bytes need not go on.
      stopReading(reader, error);
      throw error;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
    return await client.call("finishImport", {}, PIECE_MS_MAX);
  } finally {
    await client.close();
  }
}

function stopReading(reader: ReadableStreamDefaultReader<unknown>, reason: unknown): void {
  reader.cancel(reason).catch(() => undefined);
}

async function send(client: EngineClient, value: unknown): Promise<void> {
  if (!(value instanceof Uint8Array)) {
    throw new InvalidArgumentError("source must be a Blob or a stream of Uint8Array", {
      argument: "source",
      value: typeof value,
    });
  }
  for (let at = 0; at < value.byteLength; at += PIECE_BYTES_MAX) {
    const bytes = value.slice(at, at + PIECE_BYTES_MAX);
    await client.call("writeImport", { bytes }, PIECE_MS_MAX);
  }
}
