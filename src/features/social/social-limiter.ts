import type { AuthKernel } from '../../kernel.js';
import { throwIfOver } from '../../limits/event-counters.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { RateLimit } from '../../settings/rate-limit.js';
import type { SocialSettings } from './social.settings.js';

/** What is counted: each has counters of its own. */
export type SocialRequest = 'start' | 'callback' | 'token';

/** Limits the requests and the sign-ups of a client network, over all servers. */
export class SocialLimiter {
  constructor(
    private readonly kernel: Pick<AuthKernel, 'eventCounters' | 'clientNetworks' | 'settings'> & {
      readonly socialSettings: SocialSettings;
    },
  ) {}

  /** Counts a request (SOCIAL_RATE_LIMIT). Clients without an address are not counted. @throws too_many_requests */
  async count(request: SocialRequest, client: SessionClient): Promise<void> {
    await this.#count(`social ${request}`, this.kernel.socialSettings.socialRateLimit, client);
  }

  /** Counts a sign-up, together with those by password (REGISTRATION_RATE_LIMIT). @throws too_many_requests */
  async countSignUp(client: SessionClient): Promise<void> {
    await this.#count('sign-up', this.kernel.settings.registrationRateLimit, client);
  }

  async #count(name: string, limits: readonly RateLimit[], { ip }: SessionClient): Promise<void> {
    const { eventCounters, clientNetworks } = this.kernel;
    const network = clientNetworks.of(ip);
    if (network === undefined) return;
    for (const limit of limits.toSorted((one, other) => one.seconds - other.seconds)) {
      throwIfOver(await eventCounters.count([name, limit.seconds, network], limit.seconds), limit);
    }
  }
}
