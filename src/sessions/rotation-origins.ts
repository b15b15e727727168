import { createHmac, type KeyObject } from 'node:crypto';
import type { EncryptionKeys } from '../secrets/encryption-keys.js';
import type { SessionClient } from './client-device.js';
import { clientNetwork } from './client-network.js';

/**
 * Identifies where a refresh comes from: a keyed hash of network and user agent, different for each session. It does
 * not reveal either, and is therefore stored with every rotation, even without COLLECT_USER_AGENT.
 */
export class RotationOrigins {
  /** Must be the same on all servers. With another key, the owner's network would look like a different one. */
  readonly #key: KeyObject;

  constructor({ encryption }: { readonly encryption: EncryptionKeys }) {
    this.#key = encryption.hashKey('rotation origins');
  }

  /**
   * The origin of a client, as the text of a bigint, which keeps rows small. Null if network and user agent are not
   * known.
   */
  of(session: string, client: SessionClient | undefined): string | null {
    const network = clientNetwork(client?.ip) ?? null;
    const userAgent = client?.userAgent ?? null;
    if (network === null && userAgent === null) return null;
    const origin = JSON.stringify([session, network, userAgent]);
    return createHmac('sha256', this.#key).update(origin).digest().readBigInt64BE().toString();
  }
}
