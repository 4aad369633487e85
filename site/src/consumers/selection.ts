/** Which group the Consumers place shows. */

/**
 * The group of the address; where that names none, the one that is shown already, as long as it exists, and
 * else the first. A group that comes to be does not take the place of another under somebody's hand.
 */
export function selectedName(
  names: readonly string[],
  wanted: string | undefined,
  shown: string | undefined,
): string | undefined {
  if (wanted !== undefined) return names.find((name) => name === wanted);
  return names.find((name) => name === shown) ?? names[0];
}
