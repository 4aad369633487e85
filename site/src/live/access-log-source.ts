/** The real access log that the page streams, line by line, over and over. */

/** One line with the key that it is put under. */
export interface LogLine {
  readonly text: string;
  /** Address of the client: the first word of the line. */
  readonly clientAddress: string;
}

/** Lines of the log in their order; begins again after the last. */
export class AccessLogSource {
  readonly #lines: LogLine[] = [];
  #next = 0;
  #complete = false;

  /** Number of lines that have arrived. */
  get lineCount(): number {
    return this.#lines.length;
  }

  /** Whether the whole log has arrived. */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Fetches the log and takes up lines as they arrive. Resolves when it is complete.
   *
   * @throws Error naming the address and the status when the server refuses it.
   */
  async load(address: URL, signal: AbortSignal): Promise<void> {
    const response = await fetch(address, { signal });
    if (!response.ok || response.body === null) {
      throw new Error(`${address.href} answered ${response.status} ${response.statusText}`);
    }
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      this.#take(lines);
    }
    this.#take([rest]);
    this.#complete = true;
  }

  /** The next lines; fewer, or none, while the log has only begun to arrive. */
  next(count: number): LogLine[] {
    const taken: LogLine[] = [];
    while (taken.length < count) {
      const line = this.#lines[this.#next];
      if (line === undefined) {
        if (!this.#complete || this.#lines.length === 0) break;
        this.#next = 0;
        continue;
      }
      this.#next += 1;
      taken.push(line);
    }
    return taken;
  }

  #take(lines: readonly string[]): void {
    for (const text of lines) {
      if (text === "") continue;
      this.#lines.push({ text, clientAddress: text.slice(0, text.indexOf(" ")) });
    }
  }
}
