import type { ProofKey } from './key-place.js';

/** Both halves of a key pair of WebCrypto. */
type Pair = Awaited<ReturnType<typeof generate>>;

/** Generates a key pair whose private key no script can read. */
function generate() {
  return crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
}

/** A key of WebCrypto. IndexedDB can store it: its methods are lost, and `WebKey.from` restores them. */
export class WebKey implements ProofKey {
  readonly alg = 'ES256';

  private constructor(
    readonly privateKey: Pair['privateKey'],
    readonly publicJwk: Readonly<Record<string, string>>,
  ) {}

  static async create(): Promise<WebKey> {
    const { privateKey, publicKey } = await generate();
    const { kty = '', crv = '', x = '', y = '' } = await crypto.subtle.exportKey('jwk', publicKey);
    return new WebKey(privateKey, { kty, crv, x, y });
  }

  /** The key that was stored, or undefined if no key was stored. */
  static from(stored: Pick<WebKey, 'privateKey' | 'publicJwk'> | undefined): WebKey | undefined {
    return stored && new WebKey(stored.privateKey, stored.publicJwk);
  }

  async sign(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
    return new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, this.privateKey, data));
  }
}
