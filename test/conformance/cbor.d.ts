/** What of the package `cbor` (MIT, without types of its own) the conformance tests use. */
declare module "cbor" {
  class Tagged {
    constructor(tag: number, value: unknown);
  }
  const cbor: {
    readonly Tagged: typeof Tagged;
    encodeOne(value: unknown, options?: { readonly highWaterMark?: number }): Uint8Array;
    decodeFirstSync(
      bytes: Uint8Array,
      options?: {
        readonly tags?: Readonly<Record<number, (value: never) => unknown>>;
        readonly max_depth?: number;
      },
    ): unknown;
  };
  export default cbor;
}
