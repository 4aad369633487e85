/**
 * Tables whose size is fixed when the core starts: they are handed out once, in order, from the end
 * of the static data upwards, and never returned. The arena begins where they end.
 */

let top: usize = 0;

/** Starts handing out at the end of the static data. */
export function openTables(): void {
  top = (__heap_base + 63) & ~63;
}

/** Zeroed memory of `byteLength` bytes, aligned to 64; 0 when the memory cannot grow that far. */
export function takeTable(byteLength: usize): usize {
  const start = top;
  const end = (start + byteLength + 63) & ~63;
  if (end < start) return 0;
  const pagesNeeded = <i32>((end + 0xffff) >>> 16);
  const pages = memory.size();
  if (pagesNeeded > pages && memory.grow(pagesNeeded - pages) < 0) return 0;
  top = end;
  return start;
}

/** Closes the tables; returns the first address behind them that is a multiple of 64 KiB. */
export function closeTables(): usize {
  return (top + 0xffff) & ~0xffff;
}
