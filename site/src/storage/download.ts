/** A stream of bytes as a file that the browser saves. */

const TYPE = "application/octet-stream";
const REVOKE_AFTER_MS = 60_000;

/**
 * Collects a stream, telling how many bytes have come; undefined when the signal ended it. Each piece
 * becomes a blob of its own at once: browsers keep large blobs on the disk.
 */
export async function collect(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<Blob | undefined> {
  const reader = stream.getReader();
  const pieces: Blob[] = [];
  let bytes = 0;
  for (;;) {
    if (signal.aborted) {
      await reader.cancel(signal.reason);
      return undefined;
    }
    const { done, value } = await reader.read();
    if (done) return new Blob(pieces, { type: TYPE });
    pieces.push(new Blob([value.slice()]));
    bytes += value.byteLength;
    onProgress(bytes);
  }
}

/** Has the browser save a file under a name. */
export function offerDownload(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // The browser reads the blob some time after the click.
  setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER_MS);
}
