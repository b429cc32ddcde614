/** Flags as bits, eight to a byte, the first one lowest: what numpy calls `bitorder="little"`. */

/** @param flags Each 0 or 1. */
export function packBits(flags: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(flags.length / 8));
  for (let i = 0; i < flags.length; i++) bytes[i >> 3] |= flags[i] << (i & 7);
  return bytes;
}

/** The first `length` flags, each 0 or 1. */
export function unpackBits(bytes: Uint8Array, length: number): Uint8Array {
  const flags = new Uint8Array(length);
  for (let i = 0; i < length; i++) flags[i] = (bytes[i >> 3] >> (i & 7)) & 1;
  return flags;
}
