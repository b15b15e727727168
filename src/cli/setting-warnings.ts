import { currentIdentity, isHostName } from '../http/refresh-cookie-identity.js';
import { isHmac } from '../settings/algorithm.js';
import type { Settings } from '../settings/settings.js';
import type { Finding } from './finding.js';

/** What settings leave open that most apps should decide before they go live. */
export function settingWarnings(settings: Settings): Finding[] {
  return [audience(settings), sessionLifetime(settings), refreshCookie(settings)];
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

/** RFC 6265bis §4.1.3.2: browsers take a `__Host-` cookie from its own host over TLS alone. */
function refreshCookie(settings: Settings): Finding {
  const name = 'refresh-cookie';
  const { refreshTokenAsCookie, refreshTokenCookieDomain, refreshTokenCookiePath, development } = settings;
  if (!refreshTokenAsCookie) return { name, status: 'ok', message: 'refresh tokens do not travel in a cookie' };
  if (isHostName(currentIdentity(settings).name))
    return { name, status: 'ok', message: 'only its own host can set the refresh cookie' };
  if (development) return { name, status: 'ok', message: 'in development the refresh cookie needs no __Host- prefix' };
  const [setting, why] =
    refreshTokenCookieDomain !== undefined
      ? ['DOMAIN', 'is set']
      : refreshTokenCookiePath !== '/'
        ? ['PATH', 'is set']
        : ['NAME', 'does not begin with it'];
  const variable = `REFRESH_TOKEN_COOKIE_${setting}`;
  const older = setting === 'NAME' ? '' : ` (and name the old value in OLDER_COOKIE_${setting}S)`;
  const cause = `the refresh cookie has no __Host- prefix because ${variable} ${why}`;
  const risk =
    'any host of the domain can set a cookie of its own account beside it, and your user works in that account';
  const remedy = `unset ${variable}${older}, or let only hosts that you trust live below the domain`;
  return { name, status: 'warning', message: `${cause}: ${risk}. Remedy: ${remedy}` };
}
