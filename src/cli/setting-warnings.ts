import { isHmac } from '../settings/algorithm.js';
import type { Settings } from '../settings/settings.js';
import type { Finding } from './finding.js';

/** What settings leave open that most apps should decide before they go live. */
export function settingWarnings(settings: Settings): Finding[] {
  return [audience(settings), sessionLifetime(settings)];
}

/**
 * A public key verifies tokens in other services, and only `aud` says for which of them a token was made (RFC 8725
 * §3.9).
 */
function audience({ algorithm, audience: set }: Settings): Finding {
  const name = 'audience';
  if (set !== undefined) return { name, status: 'ok', message: 'tokens say for which service they are' };
  if (isHmac(algorithm))
    return { name, status: 'ok', message: 'no public key is published, so no tokens need an audience' };
  const reason = `the public key of ${algorithm} is published, and each service that trusts it accepts these tokens`;
  return { name, status: 'warning', message: `${reason}: set AUDIENCE, and let each service check its own` };
}

function sessionLifetime({ sessionLifetime: set }: Settings): Finding {
  const name = 'session-lifetime';
  if (set !== undefined) return { name, status: 'ok', message: 'every session ends at a fixed time' };
  const reason = 'a session that is refreshed in time never ends, a stolen one neither';
  return { name, status: 'warning', message: `${reason}: set SESSION_LIFETIME, for example to 90d` };
}
