import { currentIdentity, isHostName } from '../http/refresh-cookie-identity.js';
import { isHmac } from '../settings/algorithm.js';
import type { Settings } from '../settings/settings.js';
import type { Finding } from './finding.js';

/** Settings that most apps should decide before they go live. */
export function settingWarnings(settings: Settings): Finding[] {
  return [
    audience(settings),
    sessionLifetime(settings),
    boundSessions(settings),
    refreshCookie(settings),
    mails(settings),
  ];
}

/**
 * A public key verifies tokens in other services, and only `aud` says for which of them a token was issued (RFC 8725
 * §3.9).
 */
function audience({ algorithm, audience: set }: Settings): Finding {
  const name = 'audience';
  if (set !== undefined) return { name, status: 'ok', message: 'tokens name their audience' };
  if (isHmac(algorithm))
    return { name, status: 'ok', message: 'no public key verifies new tokens, so they need no audience' };
  const reason = `the public key of ${algorithm} is published, and each service that trusts it accepts these tokens`;
  return {
    name,
    status: 'warning',
    message: `${reason}: set JWT_ALLAUTH_AUDIENCE, and let each service check its own`,
  };
}

function sessionLifetime({ sessionLifetime: set }: Settings): Finding {
  const name = 'session-lifetime';
  if (set !== undefined) return { name, status: 'ok', message: 'every session ends at a fixed time' };
  const reason = 'a session that is refreshed in time never ends, not even a stolen one';
  return { name, status: 'warning', message: `${reason}: set JWT_ALLAUTH_SESSION_LIFETIME, for example to 90d` };
}

/**
 * Each proof names the URL of its request (RFC 9449 §4.2). The app compares this URL with PUBLIC_URL, and with the
 * host and the path that it sees.
 */
function boundSessions({ dpop, accessTokenBinding, publicUrl, development }: Settings): Finding {
  const name = 'dpop';
  if (dpop === 'off' && accessTokenBinding) {
    const fault = 'JWT_ALLAUTH_ACCESS_TOKEN_BINDING is true and JWT_ALLAUTH_DPOP is off';
    const effect = 'new sessions have no key, so their access tokens work without a proof';
    return { name, status: 'warning', message: `${fault}: ${effect}. Remedy: remove one of the two settings` };
  }
  if (dpop === 'off') return { name, status: 'ok', message: 'new sessions are not bound to a key (JWT_ALLAUTH_DPOP)' };
  const needs = dpop === 'required' ? 'DPOP=required' : accessTokenBinding ? 'ACCESS_TOKEN_BINDING=true' : undefined;
  if (needs && publicUrl === undefined && !development) {
    const cause = `JWT_ALLAUTH_${needs} needs proofs, and JWT_ALLAUTH_PUBLIC_URL is not set`;
    const risk = 'if a proxy changes the host or the path of requests, the app refuses every proof';
    const remedy = 'let the proxy keep both, or set JWT_ALLAUTH_PUBLIC_URL';
    return { name, status: 'warning', message: `${cause}: ${risk}. Remedy: ${remedy}` };
  }
  const whose = dpop === 'required' ? 'every session' : 'the session of a client that sends proofs';
  return { name, status: 'ok', message: `${whose} is bound to a key` };
}

/** Browsers accept a `__Host-` cookie only from its own host over TLS (RFC 6265bis §4.1.3.2). */
function refreshCookie(settings: Settings): Finding {
  const name = 'refresh-cookie';
  const { refreshTokenAsCookie, refreshTokenCookieDomain, refreshTokenCookiePath, development } = settings;
  if (!refreshTokenAsCookie) return { name, status: 'ok', message: 'refresh tokens do not travel in a cookie' };
  if (isHostName(currentIdentity(settings).name))
    return { name, status: 'ok', message: 'only the host of the app can set the refresh cookie' };
  if (development) return { name, status: 'ok', message: 'in development the refresh cookie needs no __Host- prefix' };
  const [setting, why] =
    refreshTokenCookieDomain !== undefined
      ? ['DOMAIN', 'is set']
      : refreshTokenCookiePath !== '/'
        ? ['PATH', 'is set']
        : ['NAME', 'does not start with it'];
  const variable = `JWT_ALLAUTH_REFRESH_TOKEN_COOKIE_${setting}`;
  const older = setting === 'NAME' ? '' : ` (and name the old value in JWT_ALLAUTH_OLDER_COOKIE_${setting}S)`;
  const cause = `the refresh cookie has no __Host- prefix because ${variable} ${why}`;
  const risk =
    'any host of the domain can set a cookie with the session of another account, and your user would use that account';
  const remedy = `unset ${variable}${older}, or make sure that you trust all hosts of the domain`;
  return { name, status: 'warning', message: `${cause}: ${risk}. Remedy: ${remedy}` };
}

/**
 * The command line cannot know whether the app passes a mailer. With PUBLIC_URL, but neither a mailer nor SMTP_URL, the
 * app does not start in production.
 */
function mails({ publicUrl, smtpUrl, development }: Settings): Finding {
  const name = 'mails';
  if (publicUrl === undefined)
    return { name, status: 'ok', message: 'no mails are sent, because JWT_ALLAUTH_PUBLIC_URL is not set' };
  if (smtpUrl !== undefined) return { name, status: 'ok', message: 'a mail server is set' };
  if (development) return { name, status: 'ok', message: 'in development no mail server is needed' };
  const fault = 'JWT_ALLAUTH_PUBLIC_URL is set and JWT_ALLAUTH_SMTP_URL is not';
  const message = `${fault}: the app does not start, unless it passes a \`mailer\``;
  return { name, status: 'warning', message };
}
