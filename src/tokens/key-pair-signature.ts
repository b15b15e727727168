import { type KeyObject, verify } from 'node:crypto';

/** How signatures by the private key of a pair are verified (RFC 7518 §3, RFC 8037 §3.1). */
export interface SignatureScheme {
  /** Null: the algorithm has its own hash. */
  readonly hash: string | null;
  /** The length of an ECDSA signature, in bytes. */
  readonly signatureBytes?: number;
  readonly padding?: object;
}

/**
 * Verifies a signature with a public key. OpenSSL gets an ECDSA signature in its own form: with Node's option for the
 * form of JOSE, which needs an object around the key, a verification takes 1.7 times as long.
 */
export function isKeyPairSignature(
  signature: Buffer,
  text: Buffer,
  key: KeyObject,
  { hash, signatureBytes, padding }: SignatureScheme,
): boolean {
  if (padding) return verify(hash, text, { key, ...padding }, signature);
  if (signatureBytes === undefined) return verify(hash, text, key, signature);
  return signature.length === signatureBytes && verify(hash, text, key, derOf(signature));
}

/**
 * The two numbers of an ECDSA signature (RFC 7518 §3.4) as a DER sequence (RFC 3279 §2.2.3). The length of a long
 * sequence follows the byte 0x81.
 */
function derOf(signature: Buffer): Buffer {
  const half = signature.length / 2;
  const numbers = Buffer.concat([signature.subarray(0, half), signature.subarray(half)].map(derNumberOf));
  const length = numbers.length > 0x7f ? [0x81, numbers.length] : [numbers.length];
  return Buffer.concat([Buffer.of(0x30, ...length), numbers]);
}

/**
 * A number without leading zeros; of one that is zero, the last byte remains. A first byte above 0x7f would make it
 * negative.
 */
function derNumberOf(bytes: Buffer): Buffer {
  const digits = bytes.subarray(bytes.findIndex((byte) => byte !== 0));
  const sign = (digits[0] ?? 0) > 0x7f ? [0] : [];
  return Buffer.concat([Buffer.of(0x02, sign.length + digits.length, ...sign), digits]);
}
