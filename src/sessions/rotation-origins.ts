import { createHmac, type KeyObject } from 'node:crypto';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import type { SessionClient } from './client-device.js';
import { clientNetwork } from './client-network.js';

/**
 * Names where a refresh comes from, by network and user agent, without telling either: a keyed hash, different for each
 * session. It is kept with every rotation, whatever COLLECT_USER_AGENT says.
 */
export class RotationOrigins {
  /** The same on all servers: with another key the owner's own network would look like a stranger's. */
  readonly #key: KeyObject;

  constructor({ encryption }: { readonly encryption: EncryptionKeys }) {
    this.#key = encryption.hashKey('rotation origins');
  }

  /**
   * The name of the place that a client is at, as the text of a bigint: a row that stays small stays on its page. Null:
   * nothing is known about the client.
   */
  of(session: string, client: SessionClient | undefined): string | null {
    const network = clientNetwork(client?.ip) ?? null;
    const userAgent = client?.userAgent ?? null;
    if (network === null && userAgent === null) return null;
    const place = JSON.stringify([session, network, userAgent]);
    return createHmac('sha256', this.#key).update(place).digest().readBigInt64BE().toString();
  }
}
