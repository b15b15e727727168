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
  if (id === undefined) throw fault('passkeyRpId', 'is required without {publicUrl}: passkeys are made for a domain');
  if (!isRpId(id))
    throw fault('passkeyRpId', 'is required: passkeys are made for a domain, and {publicUrl} has no domain');
  const foreign = own.passkeyOrigins.find((origin) => isWeb(origin) && !isWithin(origin, id));
  if (foreign !== undefined) throw fault('passkeyOrigins', `has ${foreign}, which is neither ${id} nor below it`);
  const usual = [...(publicUrl ? [publicUrl.origin] : []), ...settings.trustedOrigins];
  const origins = own.passkeyOrigins.length > 0 ? own.passkeyOrigins : usual.filter((origin) => isWithin(origin, id));
  if (origins.length === 0)
    throw fault('passkeyOrigins', `is required: neither {publicUrl} nor {trustedOrigins} has an origin at ${id}`);
  return { id, name: own.passkeyRpName ?? publicUrl?.hostname ?? 'jwt-allauth', origins: [...new Set(origins)] };
}

function isWeb(origin: string): boolean {
  return /^https?:/.test(origin);
}

/** Whether a web origin is the domain or a subdomain of it. */
function isWithin(origin: string, id: string): boolean {
  if (!isWeb(origin)) return false;
  const { hostname } = new URL(origin);
  return hostname === id || hostname.endsWith(`.${id}`);
}
