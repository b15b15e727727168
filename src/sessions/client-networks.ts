import type { Logger } from '../observability/logger.js';
import { clientNetwork } from './client-network.js';

/** How many characters of the received value are logged. */
const LOGGED_LENGTH = 64;

/**
 * The networks of clients, for rate limits. Logs one warning if a client has none: limits per address cannot work then.
 */
export class ClientNetworks {
  #hasWarned = false;

  constructor(private readonly logger: Logger) {}

  /**
   * The network of a client with this `req.ip`. Undefined if it is not an address; such clients must not share a
   * counter.
   */
  of(ip: string | undefined): string | undefined {
    const network = clientNetwork(ip);
    if (network === undefined && !this.#hasWarned) {
      this.#hasWarned = true;
      const message = 'a client has no IP address, so limits per address do not apply: check "trust proxy"';
      this.logger.warn({ received: ip?.slice(0, LOGGED_LENGTH) ?? null }, message);
    }
    return network;
  }
}
