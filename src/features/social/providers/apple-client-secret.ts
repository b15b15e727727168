import { createPrivateKey, type KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';

/** Lifetime of a client secret. Apple allows six months; a request needs seconds. */
const LIFETIME_SECONDS = 300;

/**
 * Makes the client secrets of Apple: a JWT, signed with ES256.
 *
 * @returns a function that signs one at an instant, in milliseconds
 * @throws TypeError if the private key is not a P-256 key in PEM
 */
export function appleClientSecret({
  clientId,
  teamId,
  keyId,
  privateKey,
}: Readonly<Record<'clientId' | 'teamId' | 'keyId' | 'privateKey', string>>): (now: number) => string {
  const key = readKey(privateKey);
  return (now) => {
    const iat = Math.floor(now / 1000);
    const claims = { iss: teamId, iat, exp: iat + LIFETIME_SECONDS, aud: 'https://appleid.apple.com', sub: clientId };
    return jwt.sign(claims, key, { algorithm: 'ES256', keyid: keyId });
  };
}

function readKey(privateKey: string): KeyObject {
  try {
    const key = createPrivateKey(privateKey.replaceAll('\\n', '\n'));
    if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  } catch {
    // Its message may contain parts of the key.
  }
  throw new TypeError('apple: privateKey must be the content of the .p8 file, a P-256 key in PEM');
}
