/** What a service worker and a page say to each other about requests that the worker intercepted. */

/** From the worker to a page: connect to me. From a page to the worker: here is a port. */
export const HELLO = "millrace-service-worker";

/** An intercepted request, or what becomes of an answer's stream. */
export type WorkerMessage =
  | {
      readonly id: number;
      readonly kind: "request";
      readonly url: string;
      readonly method: string;
      readonly headers: readonly (readonly [string, string])[];
      readonly body: ArrayBuffer;
    }
  | { readonly id: number; readonly kind: "pull" | "cancel" };

/** Head and body of an answer; the chunks of a streamed one come as they are pulled. */
export type PageMessage =
  | {
      readonly id: number;
      readonly kind: "answer";
      readonly status: number;
      readonly headers: readonly (readonly [string, string])[];
      /** Absent when the body is a stream. */
      readonly body?: ArrayBuffer;
    }
  | { readonly id: number; readonly kind: "chunk"; readonly chunk: Uint8Array<ArrayBuffer> }
  | { readonly id: number; readonly kind: "end" }
  | { readonly id: number; readonly kind: "failed"; readonly message: string };

/** Whether a message asks for a connection or brings one. */
export function isHello(data: unknown): boolean {
  return typeof data === "object" && data !== null && "millrace" in data && data.millrace === HELLO;
}
