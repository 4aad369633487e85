/** Numbers as people read them, always with their unit. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const clockTime = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });

const BYTE_UNITS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** A number with its unit, apart so that they can be set in different type. */
export interface Quantity {
  readonly value: string;
  readonly unit: string;
}

/** A count without decimals: `12,345`. */
export function formatCount(count: number): string {
  return whole.format(count);
}

/** A rate per second: whole from 10 up, one decimal below. */
export function formatRate(perSecond: number): string {
  return perSecond === 0 || perSecond >= 10 ? whole.format(perSecond) : fine.format(perSecond);
}

/** A share of 1 as percent: `12.3%`; what is there is never shown as nothing. */
export function formatShare(share: number): string {
  if (share > 0 && share < 0.001) return "<0.1%";
  return percent.format(share);
}

/** Bytes in the largest binary unit that keeps the number at 1 or more. */
export function bytesQuantity(bytes: number): Quantity {
  let scaled = bytes;
  let unit = 0;
  while (scaled >= 1024 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit += 1;
  }
  const value = unit === 0 || scaled >= 100 ? whole.format(scaled) : fine.format(scaled);
  return { value, unit: BYTE_UNITS[unit] ?? "B" };
}

/** Bytes as one text: `3.4 MiB`. */
export function formatBytes(bytes: number): string {
  const { value, unit } = bytesQuantity(bytes);
  return `${value} ${unit}`;
}

/** A number with a noun that agrees: `1 record`, `2 records`. */
export function formatNumberOf(count: number, noun: string): string {
  return `${whole.format(count)} ${count === 1 ? noun : `${noun}s`}`;
}

/** Time of day of a moment given in ms since the Unix epoch: `14:03:59`. */
export function formatClockTime(timeMs: number): string {
  return clockTime.format(timeMs);
}

/** A span of time as people read it: `312 ms`, `2.4 s`. */
export function formatMs(spanMs: number): string {
  return spanMs < 999.5 ? `${whole.format(spanMs)} ms` : `${fine.format(spanMs / 1000)} s`;
}
