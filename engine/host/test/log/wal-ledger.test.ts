import { describe, expect, it } from "vitest";
import { WalLedger } from "../../src/log/wal-ledger.ts";

function ledger(): WalLedger {
  const wal = new WalLedger();
  wal.add({ frameNumber: 1, byteLength: 100, fence: true, holds: [] }, 1n);
  wal.add(
    { frameNumber: 2, byteLength: 50, fence: false, holds: [{ shardUid: 1, ordinal: 1 }] },
    2n,
  );
  wal.add(
    { frameNumber: 3, byteLength: 50, fence: false, holds: [{ shardUid: 1, ordinal: 2 }] },
    3n,
  );
  wal.add({ frameNumber: 4, byteLength: 20, fence: false, holds: [] }, 4n);
  return wal;
}

describe("the ledger of the WAL", () => {
  it("lets no frame go that is a fence, the newest, or holds what is not declared", () => {
    expect(ledger().trimmable(4, () => true)).toEqual([2, 3]);
    expect(ledger().trimmable(4, ({ ordinal }) => ordinal === 1)).toEqual([2]);
    expect(ledger().trimmable(2, () => true)).toEqual([2]);
    expect(ledger().trimmable(4, () => false)).toEqual([]);
  });

  it("counts what is left after frames were deleted", () => {
    const wal = ledger();
    wal.remove([2]);
    expect([wal.frameCount, wal.byteLength, wal.nextFrameNumber]).toEqual([3, 170, 5]);
    expect([wal.trimmableCount, wal.trimmableBytes]).toEqual([2, 70]);
  });
});
