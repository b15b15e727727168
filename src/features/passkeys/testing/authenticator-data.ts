import { createHash } from 'node:crypto';
import { type CborValue, encodeCbor } from './cbor.js';

/** What an authenticator says about a ceremony. */
export interface AuthenticatorFlags {
  readonly isUserPresent: boolean;
  readonly isUserVerified: boolean;
  readonly isBackupEligible: boolean;
  readonly isBackedUp: boolean;
}

/** A new passkey, in the authenticator data of its registration. */
export interface AttestedPasskey {
  /** A UUID that identifies the model of the authenticator. */
  readonly aaguid: string;
  readonly id: Uint8Array;
  /** A COSE_Key. */
  readonly publicKey: Uint8Array;
}

/** Authenticator data (WebAuthn level 3 §6.1), without extensions. */
export function authenticatorData(
  rpId: string,
  { counter, ...flags }: AuthenticatorFlags & { readonly counter: number },
  attested?: AttestedPasskey,
): Buffer {
  const bits =
    Number(flags.isUserPresent) |
    (Number(flags.isUserVerified) << 2) |
    (Number(flags.isBackupEligible) << 3) |
    (Number(flags.isBackedUp) << 4) |
    (Number(attested !== undefined) << 6);
  const head = Buffer.alloc(5);
  head.writeUInt8(bits);
  head.writeUInt32BE(counter, 1);
  return Buffer.concat([createHash('sha256').update(rpId).digest(), head, ...(attested ? attestedData(attested) : [])]);
}

/** An attestation object without a statement: the format `none` (WebAuthn level 3 §8.7). */
export function attestationObject(authData: Uint8Array): Buffer {
  const members: [string, CborValue][] = [
    ['fmt', 'none'],
    ['attStmt', new Map()],
    ['authData', authData],
  ];
  return encodeCbor(new Map(members));
}

function attestedData({ aaguid, id, publicKey }: AttestedPasskey): Uint8Array[] {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(id.length);
  return [Buffer.from(aaguid.replaceAll('-', ''), 'hex'), length, id, publicKey];
}
