/** The last calls of a page: by a client of their own, which hashes in this task and whose requests outlive the page. */
import {
  DeadlineError,
  type EngineClient,
  type EngineClosedError,
  withDeadline,
  withSignal,
} from "@millrace/engine";
import type { KinesisOperations, OperationTypes } from "./aws-service.ts";
import { type FailedCall, remoteFailure } from "./failure-table.ts";
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
  onClose(listener: (reason: EngineClosedError) => void): () => void;
}

/** Makes the client, and one call with it: later ones then need not wait for anything. @throws as calls do. */
export async function openLeavingCalls<Operations extends OperationTypes>(
  calls: LivingCalls,
  client: LoadedClient,
  call: FailedCall,
  input: unknown,
): Promise<LeavingCalls<Operations>> {
  // Options of the handler that AWS's client makes in browsers; the one for Node does not know them.
  const leaving: ConnectedClient = await client.another({ sha256: Sha256 }, { keepAlive: true });
  const ended = new AbortController();
  const stop = calls.onClose((reason) => {
    ended.abort(reason);
    leaving.close();
  });
  const close = (): void => {
    stop();
    leaving.close();
  };
  const { clock, deadlineMs } = calls;
  try {
    const answer = leaving.send(call.operation, input, ended.signal).catch((thrown: unknown) => {
      throw remoteFailure(call, thrown);
    });
    await withSignal(
      ended.signal,
      withDeadline(clock, deadlineMs, answer, () => lateFailure(call, deadlineMs)),
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

function lateFailure({ place, operation }: FailedCall, deadlineMs: number): DeadlineError {
  return new DeadlineError(`${place} did not answer ${operation} within ${deadlineMs} ms`, {
    ...{ argument: "deadlineMs", value: operation, limit: deadlineMs },
  });
}
