/** The control operations by which a page gives other threads of its own a direct way to its engine worker. */

/**
 * Answered by the worker for its own page only, and not by whoever leads. What goes over ports that were
 * attached is served as the page's own requests are; the engine is closed by the page alone.
 */
export interface AttachOperations {
  /**
   * Serves requests over two more ports, which are transferred; `id` is the page's choice, and new. Not asked of
   * another worker, because the ports are gone with the first one. @throws ThreadCrashError.
   */
  attach(argument: { id: string; control: MessagePort; data: MessagePort }): null;
  /** Resolves once an attachment is over; at once when this worker does not know it. */
  attachmentEnd(argument: { id: string }): null;
  /** Ends an attachment: reads are cancelled, and workers of groups that joined over it leave. */
  detach(argument: { id: string }): null;
}
