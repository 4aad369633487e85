/** Pages of lists: what one page shows, and tokens that say where the next one begins and that expire. */
import { ExpiredNextTokenError, InvalidArgumentError } from "../../errors/index.ts";
import { PAGE_TOKEN_LIFE_MS, type PageToken, parsePageToken } from "../../model/page-token.ts";
import type { OperationName } from "../../model/shapes.ts";

/** Items of one page when the call does not say. */
const PAGE_SIZE = 100;

/** Items whose name comes after a name, at most `count` of them, and whether there are more. `items` are in the order of their names. */
export function pageOf<Item extends { readonly name: string }>(
  items: readonly Item[],
  after: string | undefined,
  count: number = PAGE_SIZE,
): { readonly page: Item[]; readonly more: boolean } {
  const following = after === undefined ? items : items.filter(({ name }) => name > after);
  return { page: following.slice(0, count), more: following.length > count };
}

/** What a token says. @throws InvalidArgumentError when it is none, ExpiredNextTokenError after 300 s. */
export function readPageToken(text: string, operation: OperationName, nowMs: number): PageToken {
  const token = parsePageToken(text, operation);
  const ageMs = nowMs - token.issuedMs;
  if (ageMs <= PAGE_TOKEN_LIFE_MS) return token;
  throw new ExpiredNextTokenError(
    `NextToken expired. The token was created at time ${new Date(token.issuedMs).toISOString()} ` +
      `and is valid for ${PAGE_TOKEN_LIFE_MS} milliseconds.`,
    { argument: "NextToken", value: ageMs, limit: PAGE_TOKEN_LIFE_MS },
  );
}

/**
 * The filter that a token holds as JSON. The check sum of a token is no signature, so that anybody can
 * make one with any filter.
 *
 * @throws InvalidArgumentError when it is none of the operation's.
 */
export function readTokenFilter<Filter>(
  text: string,
  isFilter: (value: unknown) => value is Filter,
): Filter {
  try {
    const filter: unknown = JSON.parse(text);
    if (isFilter(filter)) return filter;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new InvalidArgumentError("NextToken is invalid.", { argument: "NextToken" });
}

/** Items of one page of consumers or channels: AWS gives 100 at most, whatever a call asks for. */
export function pageSize(wanted: number | undefined): number {
  return Math.min(wanted ?? PAGE_SIZE, PAGE_SIZE);
}
