/** What `open` can open besides an engine of this machine. */

/** Something elsewhere that has streams, as `kinesis()` of `millrace/remote` makes it. */
export interface Backend<Opened> {
  /** Called by `open` with its options, which it checks. @throws InvalidArgumentError; the signal's reason. */
  open(options: BackendOptions<Opened>): Promise<Opened>;
}

/** What a backend is opened with. */
export interface BackendOptions<Opened> {
  readonly backend: Backend<Opened>;
  /** Gives up opening. */
  readonly signal?: AbortSignal;
}
