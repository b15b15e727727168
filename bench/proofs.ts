import { generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';

/** Number of keys. Each session belongs to one of them. */
const KEYS = 500;

interface ClientKey {
  readonly privateKey: KeyObject;
  /** The header of its proofs, encoded. */
  readonly header: string;
}

/** Makes DPoP proofs for refreshes (RFC 9449 §4.2), in advance: a client's signature must not count as the server's. */
export class Proofs {
  readonly #keys: readonly ClientKey[] = Array.from({ length: KEYS }, createKey);
  readonly #ready: string[][] = this.#keys.map(() => []);

  /** @param url the `htu` */
  constructor(private readonly url: string) {}

  /** Replaces all proofs that are ready by new ones, `count` for each key. */
  prepare(count: number): void {
    this.#keys.forEach((key, place) => {
      this.#ready[place] = Array.from({ length: count }, () => this.#sign(key));
    });
  }

  /** A proof by the key of the session with this number. */
  next(session: number): string {
    const place = session % KEYS;
    return this.#ready[place]?.pop() ?? this.#sign(this.#keys[place] as ClientKey);
  }

  #sign({ header, privateKey }: ClientKey): string {
    const claims = { jti: randomUUID(), htm: 'POST', htu: this.url, iat: Math.floor(Date.now() / 1000) };
    const text = `${header}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${text}.${signature.toString('base64url')}`;
  }
}

function createKey(): ClientKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  return { privateKey, header: encode({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } }) };
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
