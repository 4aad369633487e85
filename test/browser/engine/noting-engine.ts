/** Opens engines whose worker notes its transactions. */
import { type Millrace, type OpenOptions, open } from "millrace";
import type { NotedTransaction, StoreLogQuestion } from "./store-log.ts";

/** An engine, and what its worker did to the store since the last question. */
export interface NotingEngine {
  readonly millrace: Millrace;
  notedSince(): Promise<NotedTransaction[]>;
}

/** Opens an engine on IndexedDB in a worker that notes. */
export async function openNoting(options: Omit<OpenOptions, "worker">): Promise<NotingEngine> {
  let worker: Worker | undefined;
  const millrace = await open({
    ...options,
    worker: () => {
      worker = new Worker(new URL("./noting-worker.ts", import.meta.url), { type: "module" });
      return worker;
    },
  });
  const notedSince = (): Promise<NotedTransaction[]> =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = ({ data }: MessageEvent<NotedTransaction[]>) => {
        port1.close();
        resolve(data);
      };
      const question: StoreLogQuestion = { storeLog: "tell" };
      worker?.postMessage(question, [port2]);
    });
  return { millrace, notedSince };
}
