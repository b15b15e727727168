import type { EventCounters } from '../limits/event-counters.js';
import type { SessionClient } from '../sessions/client-device.js';
import type { ClientNetworks } from '../sessions/client-networks.js';
import type { Settings } from '../settings/settings.js';

/** Limits the number of sign-ups from a client's network, across all servers (REGISTRATION_RATE_LIMIT). */
export class SignUpLimiter {
  constructor(
    private readonly kernel: {
      readonly eventCounters: EventCounters;
      readonly settings: Settings;
      readonly clientNetworks: ClientNetworks;
    },
  ) {}

  /**
   * Counts a sign-up before it is processed. Clients without an address are not counted.
   *
   * @throws too_many_requests
   */
  async count({ ip }: SessionClient): Promise<void> {
    const { eventCounters, settings, clientNetworks } = this.kernel;
    await eventCounters.countRequest(clientNetworks.of(ip), 'sign-up', settings.registrationRateLimit);
  }
}
