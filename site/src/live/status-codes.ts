/** HTTP status codes as the page words and draws them: a colour per class, a dash within the class. */

const MEANINGS: Readonly<Record<number, string>> = {
  200: "OK",
  206: "Partial content",
  301: "Moved permanently",
  304: "Not modified",
  403: "Forbidden",
  404: "Not found",
  416: "Range not satisfiable",
  500: "Server error",
};

/** Name of the colour of a class of codes. */
export type StrokeName = "good" | "moved" | "refused" | "broken";

const DASHES: readonly (readonly number[])[] = [[], [6, 3], [2, 3], [9, 3, 2, 3]];

/** Codes that share a colour, in the order in which they get their dashes. */
const ORDER: readonly number[] = [200, 206, 304, 301, 404, 403, 416, 500];

function classOf(status: number): number {
  return Math.floor(status / 100);
}

/** What a code means, in few words; empty when the page has none for it. */
export function meaningOf(status: number): string {
  return MEANINGS[status] ?? "";
}

/** Colour of a code's line. */
export function strokeNameOf(status: number): StrokeName {
  switch (classOf(status)) {
    case 2:
      return "good";
    case 4:
      return "refused";
    case 5:
      return "broken";
    default:
      return "moved";
  }
}

/** Dashes of a code's line; empty for a solid one. */
export function dashOf(status: number): number[] {
  const rank = ORDER.filter((code) => classOf(code) === classOf(status)).indexOf(status);
  return [...(DASHES[rank < 0 ? DASHES.length - 1 : rank] ?? [])];
}
