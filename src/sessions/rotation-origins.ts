import { createHmac, type KeyObject } from 'node:crypto';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import type { SessionClient } from './client-device.js';
import { clientNetwork } from './client-network.js';

/**
 * Makes the origin of a refresh: a keyed hash of session, client network and user agent. Two refreshes of a session
 * with different origins came from different networks or user agents. The hash reveals neither of them. Therefore it is
 * stored with every rotation, even if COLLECT_USER_AGENT is off.
 */
export class RotationOrigins {
  /** Must be the same on all servers. With another key, every client seems to have changed its network. */
  readonly #key: KeyObject;

  constructor({ encryption }: { readonly encryption: EncryptionKeys }) {
    this.#key = encryption.hashKey('rotation origins');
  }

  /**
   * The origin of a refresh by this client: the first 8 bytes of the hash, as the decimal text of a bigint. A bigint
   * keeps the rows of sessions small. Null if neither the network nor the user agent is known.
   */
  of(session: string, client: SessionClient | undefined): string | null {
    const network = clientNetwork(client?.ip) ?? null;
    const userAgent = client?.userAgent ?? null;
    if (network === null && userAgent === null) return null;
    const origin = JSON.stringify([session, network, userAgent]);
    return createHmac('sha256', this.#key).update(origin).digest().readBigInt64BE().toString();
  }
}
