import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { SocialSettings } from './social.settings.js';

/** What is counted: each has counters of its own. */
export type SocialRequest = 'start' | 'callback' | 'token';

/** Limits the requests of a client network, over all servers. */
export class SocialLimiter {
  constructor(
    private readonly kernel: Pick<AuthKernel, 'eventCounters' | 'clientNetworks'> & {
      readonly socialSettings: SocialSettings;
    },
  ) {}

  /** Counts a request (SOCIAL_RATE_LIMIT). Clients without an address are not counted. @throws too_many_requests */
  async count(request: SocialRequest, { ip }: SessionClient): Promise<void> {
    const { eventCounters, clientNetworks, socialSettings } = this.kernel;
    await eventCounters.countRequest(clientNetworks.of(ip), `social ${request}`, socialSettings.socialRateLimit);
  }
}
