/** Verifies stored logs that no engine has open. */
import { Core } from "../core/core.ts";
import { checkArchive } from "../log/archive-check.ts";
import { scrubStore } from "../log/scrub.ts";
import type { LogStore } from "../storage/log-store.ts";
import type { CoreSource } from "./engine.ts";
import type { CheckReport } from "./engine-service.ts";

/** Memory of a core that only hashes, in bytes. */
const ARENA_BYTES = 8_388_608;

function hashingCore(coreSource: CoreSource): Promise<Core> {
  return Core.instantiate(coreSource, {
    shardSlotsMax: 1,
    routesMax: 1,
    arenaBytesMax: ARENA_BYTES,
  });
}

/** Verifies a store, which is closed afterwards. @throws UnsupportedFormatError for a log of a newer build. */
export async function checkStoredLog(
  coreSource: CoreSource,
  store: LogStore,
): Promise<CheckReport> {
  try {
    return await scrubStore(await hashingCore(coreSource), store);
  } finally {
    await store.close();
  }
}

/** Verifies an exported log. @throws UnsupportedFormatError for a log of a newer build. */
export async function checkExportedLog(
  coreSource: CoreSource,
  pieces: AsyncIterable<Uint8Array>,
): Promise<CheckReport> {
  const { header: _header, ...report } = await checkArchive(await hashingCore(coreSource), pieces);
  return report;
}
