/** Source of the scalar MD5 block function. */
export function scalarSource(): string;
/** Source of the SIMD MD5 block function. */
export function lanesSource(): string;
