/** Moments as the records view writes and asks for them: local time, to the millisecond or second. */

function digits(value: number, count: number): string {
  return String(value).padStart(count, "0");
}

function dateOf(time: Date): string {
  return `${time.getFullYear()}-${digits(time.getMonth() + 1, 2)}-${digits(time.getDate(), 2)}`;
}

function clockOf(time: Date): string {
  return [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => digits(part, 2))
    .join(":");
}

/** `2026-11-21 13:34:05.123` in local time. */
export function formatMoment(atMs: number): string {
  const time = new Date(atMs);
  return `${dateOf(time)} ${clockOf(time)}.${digits(time.getMilliseconds(), 3)}`;
}

/** `13:34:05.123` in local time. */
export function formatTimeOfDay(atMs: number): string {
  return formatMoment(atMs).slice(11);
}

/** Value of an `<input type="datetime-local" step="1">`: local time to the second. */
export function toLocalInput(atMs: number): string {
  const time = new Date(atMs);
  return `${dateOf(time)}T${clockOf(time)}`;
}

/** The moment that such an input names; undefined when it is empty or malformed. */
export function fromLocalInput(value: string): number | undefined {
  const atMs = new Date(value).getTime();
  return value === "" || !Number.isFinite(atMs) ? undefined : atMs;
}
