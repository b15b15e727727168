// By hand: the library that the server part uses is no dependency of an app's tests, and what this writes is read by
// that library, so that a mistake of one of them shows.

/** What `encodeCbor` encodes. Numbers are integers. */
export type CborValue = number | string | Uint8Array | ReadonlyMap<number | string, CborValue>;

/** Major types (RFC 8949 §3.1). */
const [UNSIGNED, NEGATIVE, BYTES, TEXT, MAP] = [0, 1, 2, 3, 5];

/**
 * Encodes the part of CBOR that passkeys need (RFC 8949). The entries of a map keep their order.
 *
 * @throws RangeError for a length or a number over 65,535
 */
export function encodeCbor(value: CborValue): Buffer {
  if (typeof value === 'number') return value < 0 ? head(NEGATIVE, -1 - value) : head(UNSIGNED, value);
  if (value instanceof Uint8Array) return Buffer.concat([head(BYTES, value.length), value]);
  if (typeof value === 'string') return Buffer.concat([head(TEXT, Buffer.byteLength(value)), Buffer.from(value)]);
  const items = [...value].flatMap(([key, member]) => [encodeCbor(key), encodeCbor(member)]);
  return Buffer.concat([head(MAP, value.size), ...items]);
}

/** The major type with its argument, in the shortest form (RFC 8949 §4.2.1). */
function head(majorType: number, argument: number): Buffer {
  const type = majorType << 5;
  if (argument < 24) return Buffer.from([type | argument]);
  if (argument <= 0xff) return Buffer.from([type | 24, argument]);
  if (argument > 0xffff) throw new RangeError(`${argument} is too long for this encoder`);
  return Buffer.from([type | 25, argument >> 8, argument & 0xff]);
}
