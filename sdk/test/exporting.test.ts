/** Exports that are cancelled while they begin: the engine keeps none open. */
import { expect, it } from "vitest";
import { microtasks } from "../../engine/host/test/support/turns.ts";
import { Millrace } from "../src/millrace.ts";
import { DirectClient, settle } from "./direct-client.ts";

/** More than beginning an export takes. */
const MICROTASKS_MAX = 40;

it("closes what it opened, whenever it is cancelled", async () => {
  const client = await DirectClient.open();
  const millrace = new Millrace(client, false);
  for (let between = 0; between <= MICROTASKS_MAX; between++) {
    client.calls.length = 0;
    const reader = millrace.export().getReader();
    const first = reader.read();
    await microtasks(between);
    await reader.cancel();
    await first;
    // As loading it did for the export, which was first to ask for it.
    await import("../src/archive.ts");
    await settle();
    const count = (operation: string) => client.calls.filter((one) => one === operation).length;
    expect(count("openExport"), `${between} microtasks`).toBe(count("closeExport"));
  }
  await client.close();
});
