import type { AuthKernel } from '../../kernel.js';
import type { SessionClient } from '../../sessions/client-device.js';
import type { PasskeysSettings } from './passkeys.settings.js';

/** What is counted: each has counters of its own. */
export type PasskeyRequest = 'options' | 'login' | 'sign-up' | 'reauthentication';

/**
 * Limits the requests of a client network that have no session, and its re-authentications, over all servers
 * (PASSKEY_RATE_LIMIT).
 */
export class PasskeyLimiter {
  constructor(
    private readonly kernel: Pick<AuthKernel, 'eventCounters' | 'clientNetworks'> & {
      readonly passkeysSettings: PasskeysSettings;
    },
  ) {}

  /** Counts a request. Clients without an address are not counted. @throws too_many_requests */
  async count(request: PasskeyRequest, { ip }: SessionClient): Promise<void> {
    const { eventCounters, clientNetworks, passkeysSettings } = this.kernel;
    await eventCounters.countRequest(clientNetworks.of(ip), `passkey ${request}`, passkeysSettings.passkeyRateLimit);
  }
}
