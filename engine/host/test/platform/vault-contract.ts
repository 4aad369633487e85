/** The promises of a KeyVault, whatever it is made of. */
import { describe, expect, it } from "vitest";
import { FrameExistsError } from "../../src/errors/index.ts";
import type { Cipher, KeyVault } from "../../src/platform/platform.ts";

/** A vault, and the same one as another process would open it. */
export interface OpenedVault {
  readonly vault: KeyVault;
  readonly reopen: (() => Promise<KeyVault>) | undefined;
}

const SALT = new Uint8Array(16).fill(9);
const ADDITIONAL = new Uint8Array([1, 2, 3]);

function plainText(byteLength: number): Uint8Array {
  return Uint8Array.from({ length: byteLength }, (_, i) => (i * 7) & 0xff);
}

async function required(
  vault: KeyVault,
  dataKeyId: number,
  purpose: "wal" | "segment" = "wal",
  salt = SALT,
): Promise<Cipher> {
  const cipher = await vault.cipher(dataKeyId, salt, purpose);
  if (cipher === undefined) throw new Error(`no cipher for key ${dataKeyId}`);
  return cipher;
}

/** Registers the tests of one kind of vault. */
export function vaultContract(kind: string, open: () => Promise<OpenedVault>): void {
  describe(`a vault ${kind}`, () => {
    it("knows the keys that were made and not destroyed", async () => {
      const { vault } = await open();
      expect(await vault.keyIds()).toEqual([]);
      for (const dataKeyId of [1, 7, 4_000_000_000]) await vault.createKey(dataKeyId);
      await vault.destroyKey(7);
      await vault.destroyKey(8);
      expect((await vault.keyIds()).sort((a, b) => a - b)).toEqual([1, 4_000_000_000]);
      await vault.close();
    });

    it("makes no key twice", async () => {
      const { vault } = await open();
      await vault.createKey(1);
      const cipher = await required(vault, 1);
      const sealed = await cipher.encrypt(1, ADDITIONAL, plainText(50));
      await expect(vault.createKey(1)).rejects.toBeInstanceOf(FrameExistsError);
      expect(await (await required(vault, 1)).decrypt(1, ADDITIONAL, sealed)).toEqual(
        plainText(50),
      );
    });

    it("decrypts what it encrypted, of any length, also after it was opened again", async () => {
      const { vault, reopen } = await open();
      await vault.createKey(1);
      for (const [counter, byteLength] of [0, 1, 15, 16, 17, 100_000].entries()) {
        const plain = plainText(byteLength);
        const sealed = await (await required(vault, 1)).encrypt(counter, ADDITIONAL, plain);
        expect(sealed.byteLength).toBe(byteLength + 16);
        const again = (await reopen?.()) ?? vault;
        expect(await (await required(again, 1)).decrypt(counter, ADDITIONAL, sealed)).toEqual(
          plain,
        );
      }
    });

    it("has read what it is given when the call returns", async () => {
      const { vault } = await open();
      await vault.createKey(1);
      const cipher = await required(vault, 1);
      const plain = plainText(300_000);
      const given = plain.slice();
      const sealing = cipher.encrypt(1, ADDITIONAL, given);
      given.fill(0);
      expect(await cipher.decrypt(1, ADDITIONAL, await sealing)).toEqual(plain);
    });

    it("decrypts nothing with another key, salt, purpose, counter or additional data", async () => {
      const { vault } = await open();
      await vault.createKey(1);
      await vault.createKey(2);
      const cipher = await required(vault, 1);
      const sealed = await cipher.encrypt(5, ADDITIONAL, plainText(64));
      const others: readonly [Cipher, number, Uint8Array][] = [
        [await required(vault, 2), 5, ADDITIONAL],
        [await required(vault, 1, "wal", new Uint8Array(16)), 5, ADDITIONAL],
        [await required(vault, 1, "segment"), 5, ADDITIONAL],
        [cipher, 6, ADDITIONAL],
        [cipher, 5, new Uint8Array([1, 2, 4])],
        [cipher, 5, new Uint8Array(0)],
      ];
      for (const [other, counter, additional] of others) {
        expect(await other.decrypt(counter, additional, sealed)).toBeUndefined();
      }
      expect(await cipher.decrypt(5, ADDITIONAL, sealed)).toEqual(plainText(64));
    });

    it("notices every changed byte, and bytes that are missing", async () => {
      const { vault } = await open();
      await vault.createKey(1);
      const cipher = await required(vault, 1);
      const sealed = await cipher.encrypt(1, ADDITIONAL, plainText(40));
      for (let at = 0; at < sealed.byteLength; at++) {
        const changed = sealed.slice();
        changed[at] = (changed[at] ?? 0) ^ 0x10;
        expect(await cipher.decrypt(1, ADDITIONAL, changed)).toBeUndefined();
      }
      expect(await cipher.decrypt(1, ADDITIONAL, sealed.subarray(1))).toBeUndefined();
      expect(await cipher.decrypt(1, ADDITIONAL, sealed.subarray(0, 10))).toBeUndefined();
    });

    it("leaves no plain text in what it gives", async () => {
      const { vault } = await open();
      await vault.createKey(1);
      const plain = new TextEncoder().encode("a marker that must not be found ".repeat(8));
      const sealed = await (await required(vault, 1)).encrypt(1, ADDITIONAL, plain);
      expect(new TextDecoder("latin1").decode(sealed)).not.toContain("marker");
    });

    it("has no cipher for a key that was destroyed or never made", async () => {
      const { vault, reopen } = await open();
      await vault.createKey(1);
      await vault.destroyKey(1);
      for (const one of [vault, (await reopen?.()) ?? vault]) {
        expect(await one.cipher(1, SALT, "wal")).toBeUndefined();
        expect(await one.cipher(2, SALT, "wal")).toBeUndefined();
      }
    });
  });
}
