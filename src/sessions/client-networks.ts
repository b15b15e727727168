import type { Logger } from '../observability/logger.js';
import { clientNetwork } from './client-network.js';

/** Characters of what was received that are logged. */
const LOGGED_LENGTH = 64;

/** The networks of clients, for limits. Warns once where there is none: then no limit per address can hold. */
export class ClientNetworks {
  #hasWarned = false;

  constructor(private readonly logger: Logger) {}

  /**
   * The client's network by Express's `req.ip`; undefined for what is no address, which no counter may be shared for.
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
