/** What a person has set on the page, kept in its address so that it can be linked. */

/** Rates that the producer can be set to, in records/s. */
export const RATES_PER_SECOND: readonly number[] = [
  0, 5, 20, 50, 100, 200, 500, 1000, 2000, 3000, 4000, 6000,
];

/** The settings of the page. */
export interface LiveSettings {
  /** Records/s that the producer aims at. */
  readonly ratePerSecond: number;
  /** Share of records that get one key, in percent. */
  readonly hotPercent: number;
  /** The shard that is looked at; undefined for none. */
  readonly shardIndex: number | undefined;
}

/** What a first visit begins with. */
export const SETTINGS_DEFAULT: LiveSettings = {
  ratePerSecond: 200,
  hotPercent: 0,
  shardIndex: undefined,
};

function numberIn(query: URLSearchParams, name: string, max: number): number | undefined {
  const text = query.get(name);
  if (text === null || !/^\d{1,6}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** Settings of an address; what is missing or out of range is as at a first visit. */
export function settingsOf(search: string): LiveSettings {
  const query = new URLSearchParams(search);
  const rate = numberIn(query, "rate", RATES_PER_SECOND.at(-1) ?? 0) ?? -1;
  return {
    ratePerSecond: RATES_PER_SECOND.includes(rate) ? rate : SETTINGS_DEFAULT.ratePerSecond,
    hotPercent: numberIn(query, "hot", 100) ?? SETTINGS_DEFAULT.hotPercent,
    shardIndex: numberIn(query, "shard", 499),
  };
}

/** Query of an address that stands for these settings, with its question mark; empty for defaults. */
export function searchOf(settings: LiveSettings): string {
  const query = new URLSearchParams();
  if (settings.ratePerSecond !== SETTINGS_DEFAULT.ratePerSecond) {
    query.set("rate", String(settings.ratePerSecond));
  }
  if (settings.hotPercent !== SETTINGS_DEFAULT.hotPercent) {
    query.set("hot", String(settings.hotPercent));
  }
  if (settings.shardIndex !== undefined) query.set("shard", String(settings.shardIndex));
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}
