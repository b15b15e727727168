import type { AuthKernel } from '../../kernel.js';
import { namesOf } from '../../settings/setting-names.js';
import { type SettingFault, SettingsError } from '../../settings/settings-error.js';
import { isProviderId, toProvider } from './configured-provider.js';
import { ProviderClient } from './provider-client.js';
import type { Fetch } from './provider-fetch.js';
import type { SocialSettings } from './social.settings.js';
import { socialError } from './social-errors.js';
import { isOpenId, type SocialProvider } from './social-provider.js';

/** Hosts of this machine. An issuer there needs no TLS in development. */
const LOOPBACK = ['127.0.0.1', 'localhost'];

/** The providers of one app: those of SOCIAL_PROVIDERS, and those in code. */
export class SocialProviders {
  readonly #clients = new Map<string, ProviderClient>();

  /**
   * @param inCode the providers that the app has made itself
   * @throws SettingsError for a provider of SOCIAL_PROVIDERS that cannot be used; TypeError for one in code
   */
  constructor(
    kernel: Pick<AuthKernel, 'clock' | 'settings'> & { readonly socialSettings: SocialSettings },
    inCode: readonly SocialProvider[],
    fetch: Fetch,
  ) {
    const { clock, settings, socialSettings } = kernel;
    const configured = socialSettings.socialProviders.map(toProvider);
    const faultOf = (provider: SocialProvider) => providerFault(provider, settings.development);
    for (const provider of inCode) {
      const fault = faultOf(provider);
      if (fault) throw new TypeError(`provider ${provider.id}: ${fault}`);
    }
    const clash = issuerClash(inCode);
    if (clash) throw new TypeError(`provider ${clash}`);
    const faults = configured.flatMap((provider) => faultOf(provider) ?? []);
    const ids = [...inCode, ...configured].map(({ id }) => id);
    const duplicate = ids.find((id, index) => ids.indexOf(id) !== index);
    if (duplicate !== undefined) faults.push(`has two providers with the id ${duplicate}, or one that is also in code`);
    const mixed = faults.length > 0 ? undefined : issuerClash([...inCode, ...configured]);
    if (mixed !== undefined) faults.push(mixed);
    if (faults.length > 0) throw new SettingsError(faults.map((message) => faultFor(message, settings)));
    for (const provider of [...inCode, ...configured]) {
      const isInsecureAllowed = urlsOf(provider).some((url) => url.protocol === 'http:');
      this.#clients.set(provider.id, new ProviderClient(provider, { clock, fetch, isInsecureAllowed }));
    }
  }

  /** All providers, in their order: first those in code. */
  get all(): SocialProvider[] {
    return [...this.#clients.values()].map(({ provider }) => provider);
  }

  /** Whether this app has a provider. */
  has(id: string): boolean {
    return this.#clients.has(id);
  }

  /** The client of a provider. @throws provider_not_found */
  get(id: string): ProviderClient {
    const client = this.#clients.get(id);
    if (!client) throw socialError('provider_not_found');
    return client;
  }

  /** The client of a provider that has ID tokens. @throws provider_not_found */
  getOpenId(id: string): ProviderClient {
    const client = this.get(id);
    if (!isOpenId(client.provider)) throw socialError('provider_not_found');
    return client;
  }
}

function faultFor(message: string, settings: AuthKernel['settings']): SettingFault {
  return { setting: namesOf(settings)('socialProviders'), message };
}

/** Why a provider cannot be used. Undefined if it can. Contains no secret. */
function providerFault(provider: SocialProvider, isDevelopment: boolean): string | undefined {
  if (!isProviderId(provider.id)) return 'an id must be lower-case letters, digits and dashes, at most 32';
  if (!provider.clientId) return `${provider.id} needs a clientId`;
  const urls = Object.values(provider.server);
  if (!urls.every((url) => URL.canParse(url) && isAllowed(new URL(url), isDevelopment)))
    return `${provider.id} must have https URLs without query (in development also http on 127.0.0.1 and localhost)`;
  return undefined;
}

/**
 * Why two providers cannot be distinguished: they have the same issuer, which identifies accounts, and different
 * endpoints. So an account of one could sign in as the user of an account of the other. Undefined: all are distinct.
 */
function issuerClash(providers: readonly SocialProvider[]): string | undefined {
  for (const [index, provider] of providers.entries()) {
    const [issuer, ...endpoints] = hrefsOf(provider);
    const other = providers.slice(0, index).find((earlier) => {
      const [same, ...others] = hrefsOf(earlier);
      return same === issuer && others.join() !== endpoints.join();
    });
    if (other) return `${provider.id} must not have the issuer of ${other.id}, because its endpoints are others`;
  }
  return undefined;
}

/** The issuer, and then the endpoints. */
function hrefsOf({ server }: SocialProvider): string[] {
  const { issuer, ...endpoints } = server;
  return [issuer, ...Object.values(endpoints).sort()].map((url) => new URL(url).href);
}

function isAllowed({ protocol, hostname, search, hash, username, password }: URL, isDevelopment: boolean): boolean {
  if (search || hash || username || password) return false;
  return protocol === 'https:' || (protocol === 'http:' && isDevelopment && LOOPBACK.includes(hostname));
}

function urlsOf({ server }: SocialProvider): URL[] {
  return Object.values(server).map((url) => new URL(url));
}
