/** Which rows of a long list are in sight: the arithmetic of a list with rows of one height. */

/** Height of a row in px. */
export const ROW_PX = 30;

/** Rows that are drawn beyond either edge, so that a quick scroll shows no gap. */
const ROWS_BEYOND = 8;

/** Rows that one list holds: more would be taller than some browsers lay out, and past reading. */
export const ROWS_MAX = 50_000;

/** What is drawn of a list: rows `[first, end)`, and the height left free above and below, in px. */
export interface RowWindow {
  readonly first: number;
  readonly end: number;
  readonly abovePx: number;
  readonly belowPx: number;
}

/** The window at a scroll position, for a box of `heightPx`. */
export function rowWindow(count: number, scrollPx: number, heightPx: number): RowWindow {
  const top = Math.floor(Math.max(0, scrollPx) / ROW_PX);
  const shown = Math.ceil(Math.max(0, heightPx) / ROW_PX);
  const end = Math.min(count, top + shown + ROWS_BEYOND);
  const first = Math.max(0, Math.min(top - ROWS_BEYOND, end));
  return { first, end, abovePx: first * ROW_PX, belowPx: (count - end) * ROW_PX };
}

/** Scroll position that brings a row into sight, which is the present one when it is already. */
export function scrollTo(row: number, scrollPx: number, heightPx: number): number {
  const top = row * ROW_PX;
  if (top < scrollPx) return top;
  return Math.max(scrollPx, top + ROW_PX - heightPx);
}
