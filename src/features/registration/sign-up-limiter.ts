import { type EventCounters, throwIfOver } from '../../limits/event-counters.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { ClientNetworks } from '../../sessions/client-networks.js';
import type { Settings } from '../../settings/settings.js';

/** Limits the number of sign-ups from a client's network, across all servers. */
export class SignUpLimiter {
  constructor(
    private readonly counters: EventCounters,
    private readonly settings: Settings,
    private readonly networks: ClientNetworks,
  ) {}

  /**
   * Counts a sign-up before it is processed. Clients without an address are not counted.
   *
   * @throws too_many_requests
   */
  async count({ ip }: SessionClient): Promise<void> {
    const network = this.networks.of(ip);
    if (network === undefined) return;
    // Shortest limit first: a sign-up that it refuses does not count towards the longer ones.
    const limits = this.settings.registrationRateLimit.toSorted((one, other) => one.seconds - other.seconds);
    for (const limit of limits) {
      throwIfOver(await this.counters.count(['sign-up', limit.seconds, network], limit.seconds), limit);
    }
  }
}
