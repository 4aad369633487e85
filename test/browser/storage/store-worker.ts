/** Appends the frame it is sent, and answers with the frame numbers of the store. */
import { IndexedDbLogStore } from "../../../engine/host/src/storage/indexeddb-store.ts";

addEventListener(
  "message",
  async ({ data }: MessageEvent<{ engineName: string; frame: Uint8Array }>) => {
    const store = await IndexedDbLogStore.open(data.engineName);
    await store.appendFrame((await store.lastFrameNumber()) + 1, data.frame, "strict");
    const frameNumbers = await store.frameNumbers();
    await store.close();
    postMessage({ frameNumbers });
  },
);
