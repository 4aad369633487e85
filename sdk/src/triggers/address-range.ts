/** Ranges of network addresses in CIDR form, of IPv4 and IPv6. */

const IPV4_BITS = 32;
const IPV6_BITS = 128;
const IPV6_GROUPS = 8;

interface Address {
  readonly value: bigint;
  readonly bits: number;
}

/** Says of an address whether it lies in a range; undefined when the text is no range. */
export function parseAddressRange(text: string): ((address: string) => boolean) | undefined {
  const [, base = "", length = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const range = parseAddress(base);
  if (range === undefined || Number(length) > range.bits) return undefined;
  const shift = BigInt(range.bits - Number(length));
  return (address) => {
    const found = parseAddress(address);
    return found?.bits === range.bits && found.value >> shift === range.value >> shift;
  };
}

function parseAddress(text: string): Address | undefined {
  const [value, bits] = text.includes(":")
    ? [parseIpv6(text), IPV6_BITS]
    : [parseIpv4(text), IPV4_BITS];
  return value === undefined ? undefined : { value, bits };
}

function parseIpv4(text: string): bigint | undefined {
  const parts = text.split(".");
  const whole = parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part));
  if (!whole || parts.some((part) => Number(part) > 255)) return undefined;
  return parts.reduce((value, part) => (value << 8n) | BigInt(part), 0n);
}

function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const gap = halves.length === 2 ? IPV6_GROUPS - head.length - tail.length : 0;
  if (gap < 0) return undefined;
  const groups = [...head, ...Array.from({ length: gap }, () => "0"), ...tail];
  const whole = groups.every((group) => /^[\da-f]{1,4}$/i.test(group));
  if (groups.length !== IPV6_GROUPS || !whole) return undefined;
  return groups.reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n);
}
