import { type EventCounters, throwIfOver } from '../../limits/event-counters.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { ClientNetworks } from '../../sessions/client-networks.js';
import type { Settings } from '../../settings/settings.js';

/** Bounds how many sign-ups come from a client's address, over all servers. */
export class SignUpLimiter {
  constructor(
    private readonly counters: EventCounters,
    private readonly settings: Settings,
    private readonly networks: ClientNetworks,
  ) {}

  /**
   * Counts a sign-up before anything is done for it. Clients without an address share no counter.
   *
   * @throws too_many_requests
   */
  async count({ ip }: SessionClient): Promise<void> {
    const network = this.networks.of(ip);
    if (network === undefined) return;
    // The shortest first: what it refuses does not count for the longer ones.
    const limits = this.settings.registrationRateLimit.toSorted((one, other) => one.seconds - other.seconds);
    for (const limit of limits) {
      throwIfOver(await this.counters.count(['sign-up', limit.seconds, network], limit.seconds), limit);
    }
  }
}
