/** The last calls of a page: by a client of their own, which hashes in this task and whose requests outlive the page. */
import { type EngineClient, EngineClosedError, withDeadline } from "@millrace/engine";
import type { KinesisOperations, OperationTypes } from "./aws-service.ts";
import type { ConnectedClient, LoadedClient } from "./load-client.ts";
import { Sha256 } from "./sha256.ts";

/** See above. */
export interface LeavingCalls<Operations extends OperationTypes = KinesisOperations> {
  /** Makes a call of 64 KiB at most; nobody hears what comes of it. */
  send<Name extends keyof Operations & string>(
    operation: Name,
    input: Operations[Name]["input"],
  ): void;
  /** Ends its connections. */
  close(): void;
}

/** The calls of the page while it lives. */
export interface LivingCalls {
  readonly clock: EngineClient["clock"];
  readonly deadlineMs: number;
  readonly place: string;
  onClose(listener: () => void): () => void;
}

/** Makes the client, and one call with it: later ones then need not wait for anything. @throws as calls do. */
export async function openLeavingCalls<Operations extends OperationTypes>(
  calls: LivingCalls,
  client: LoadedClient,
  operation: string,
  input: unknown,
): Promise<LeavingCalls<Operations>> {
  // Options of the handler that AWS's client makes in browsers; the one for Node does not know them.
  const leaving: ConnectedClient = await client.another({ sha256: Sha256 }, { keepAlive: true });
  const stop = calls.onClose(() => leaving.close());
  const close = (): void => {
    stop();
    leaving.close();
  };
  try {
    const answer = leaving.send(operation, input, undefined);
    await withDeadline(
      calls.clock,
      calls.deadlineMs,
      answer,
      () => new EngineClosedError(`${calls.place} did not answer`),
    );
  } catch (error) {
    close();
    throw error;
  }
  return {
    send: (name, last) => void leaving.send(name, last, undefined).catch(() => undefined),
    close,
  };
}
