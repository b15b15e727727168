import type { Logger } from '../../observability/logger.js';
import { namesOf, withNames } from '../../settings/setting-names.js';
import type { Settings } from '../../settings/settings.js';
import { SettingsError } from '../../settings/settings-error.js';
import type { PasskeysSettings } from './passkeys.settings.js';
import { isRpId } from './rp-id.js';

/** The app as browsers and authenticators know it (WebAuthn level 3 §4). */
export interface RelyingParty {
  /** The RP ID: a domain. */
  readonly id: string;
  readonly name: string;
  /** The origins whose responses are accepted. */
  readonly origins: readonly string[];
}

/**
 * The relying party of an app. It comes from settings only, and never from the Host header of a request.
 *
 * @throws SettingsError if no domain is known, or if an origin is neither the domain nor a subdomain of it
 */
export function relyingPartyOf(settings: Settings, own: PasskeysSettings): RelyingParty {
  const publicUrl = settings.publicUrl === undefined ? undefined : new URL(settings.publicUrl);
  const id = own.passkeyRpId ?? publicUrl?.hostname;
  const fault = (setting: string, message: string) => {
    const nameOf = namesOf(settings);
    return new SettingsError([{ setting: nameOf(setting), message: withNames(message, nameOf) }]);
  };
  if (id === undefined)
    throw fault('publicUrl', 'is required for passkeys, or {passkeyRpId}: they are made for a domain');
  if (!isRpId(id))
    throw fault(
      'publicUrl',
      'has a host for which browsers make no passkeys, such as an IP address: on your own machine write localhost, ' +
        'else set {passkeyRpId}',
    );
  const foreign = own.passkeyOrigins.find((origin) => isWeb(origin) && !isWithin(origin, id));
  if (foreign !== undefined) throw fault('passkeyOrigins', `has ${foreign}, which is not at the domain ${id}`);
  const usual = [...(publicUrl ? [publicUrl.origin] : []), ...settings.trustedOrigins];
  const origins = own.passkeyOrigins.length > 0 ? own.passkeyOrigins : usual.filter((origin) => isWithin(origin, id));
  if (origins.length === 0)
    throw fault('passkeyOrigins', `is required: neither {publicUrl} nor {trustedOrigins} has an origin at ${id}`);
  return { id, name: own.passkeyRpName ?? publicUrl?.hostname ?? 'jwt-allauth', origins: [...new Set(origins)] };
}

function isWeb(origin: string): boolean {
  return /^https?:/.test(origin);
}

/** Whether a web origin is the domain or a subdomain of it. Browsers accept no subdomain of a name without a dot. */
function isWithin(origin: string, id: string): boolean {
  if (!isWeb(origin)) return false;
  const { hostname } = new URL(origin);
  return hostname === id || (id.includes('.') && hostname.endsWith(`.${id}`));
}

/** Warns of pages that can have no passkeys, which the browsers alone would say. */
export function warnOfPages(logger: Logger, settings: Settings, own: PasskeysSettings, party: RelyingParty): void {
  const withoutTls = party.origins.filter((origin) => origin.startsWith('http:') && !isExemptFromTls(origin));
  if (withoutTls.length > 0)
    logger.warn(
      { origins: withoutTls },
      'browsers have no passkeys on pages without TLS, except at localhost: use https',
    );
  const isDefault = own.passkeyRpId === undefined && own.passkeyOrigins.length === 0;
  const elsewhere = settings.trustedOrigins.filter((origin) => isWeb(origin) && !isWithin(origin, party.id));
  if (isDefault && elsewhere.length > 0)
    logger.warn({ origins: elsewhere, domain: party.id }, withNames(ELSEWHERE_MESSAGE, namesOf(settings)));
}

const ELSEWHERE_MESSAGE =
  'pages of trusted origins have no passkeys, because they are not at the domain of the passkeys; ' +
  'choose {passkeyRpId} before the first user has a passkey';

/** Names below `.test` are reserved for tests (RFC 6761), which need no browser. */
function isExemptFromTls(origin: string): boolean {
  return /(^|\.)(localhost|test)$/.test(new URL(origin).hostname);
}
