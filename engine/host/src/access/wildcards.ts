/** Patterns of policies: `*` for any characters, `?` for one. */

/** Whether a text follows a pattern. Takes time in proportion to the product of both lengths, at worst. */
export function matchesWildcard(pattern: string, text: string): boolean {
  let at = 0;
  let inText = 0;
  // Where the last "*" stands, and how much of the text it has taken so far.
  let star = -1;
  let taken = 0;
  while (inText < text.length) {
    const wanted = pattern[at];
    if (wanted === "*") {
      star = at;
      taken = inText;
      at++;
    } else if (wanted === "?" || wanted === text[inText]) {
      at++;
      inText++;
    } else if (star >= 0) {
      // The star takes one character more, and what follows it is tried from there.
      taken++;
      inText = taken;
      at = star + 1;
    } else {
      return false;
    }
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
