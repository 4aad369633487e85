/** Opens an engine as its options and its platform have it: shared between contexts, or alone. */
import type { Platform } from "../platform/platform.ts";
import type { EngineOptions, EngineService } from "../service/engine-service.ts";
import { checkEngineOptions } from "../service/validate.ts";
import { Member } from "./member.ts";
import type { CodeVersion } from "./tab-protocol.ts";

/**
 * Joins an engine where contexts can reach each other and its store is one for all of them; `openEngine` is
 * called whenever this context is to lead, with a platform that has the engine's lock already.
 *
 * @throws InvalidArgumentError; and what `openEngine` throws, when it falls to this context to lead at once.
 */
export async function openShared(
  platform: Platform,
  options: EngineOptions,
  openEngine: (platform: Platform) => Promise<EngineService>,
  code?: CodeVersion,
): Promise<EngineService> {
  checkEngineOptions(options);
  const { channels } = platform;
  if (channels === undefined || options.storage === "memory") return await openEngine(platform);
  return await Member.open({ platform: { ...platform, channels }, options, openEngine, code });
}
