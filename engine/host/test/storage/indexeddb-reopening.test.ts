/** A store in IndexedDB that several open anew at once: one connection is left, and none after it is closed. */
import "fake-indexeddb/auto";
import { expect, it } from "vitest";
import { databaseNameOf, IndexedDbLogStore } from "../../src/storage/indexeddb-store.ts";

it("leaves no connection open that nobody closes", async () => {
  const store = await IndexedDbLogStore.open("test");
  const lost: string[] = [];
  store.onLost((reason) => lost.push(reason));
  await Promise.all([store.reopen(), store.reopen()]);
  await store.close();
  await new Promise<void>((resolve, reject) => {
    const request = indexedDB.deleteDatabase(databaseNameOf("test"));
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
  });
  expect(lost).toEqual([]);
});
