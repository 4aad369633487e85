/** Pages of lists: what one page shows, and tokens that say where the next one begins and that expire. */
import { ExpiredNextTokenError } from "../../errors/index.ts";
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

/** Items of one page of consumers or channels: AWS gives 100 at most, whatever a call asks for. */
export function pageSize(wanted: number | undefined): number {
  return Math.min(wanted ?? PAGE_SIZE, PAGE_SIZE);
}
