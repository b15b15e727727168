import type { AuthKernel } from '../../kernel.js';
import { throwIfOver } from '../../limits/event-counters.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { SocialSettings } from './social.settings.js';

/** Limits the requests of a client network that begin or complete a sign-in, over all servers (SOCIAL_RATE_LIMIT). */
export class SocialLimiter {
  constructor(
    private readonly kernel: Pick<AuthKernel, 'eventCounters' | 'clientNetworks'> & {
      readonly socialSettings: SocialSettings;
    },
  ) {}

  /** Counts a request. Clients without an address are not counted. @throws too_many_requests */
  async count({ ip }: SessionClient): Promise<void> {
    const { eventCounters, clientNetworks, socialSettings } = this.kernel;
    const network = clientNetworks.of(ip);
    if (network === undefined) return;
    for (const limit of socialSettings.socialRateLimit.toSorted((one, other) => one.seconds - other.seconds)) {
      throwIfOver(await eventCounters.count(['social', limit.seconds, network], limit.seconds), limit);
    }
  }
}
