import { Table } from '../../database/table.js';
import { TableSweep } from '../../database/table-sweep.js';
import type { LinkParts } from '../../http/controller-parts.js';
import type { AuthKernel } from '../../kernel.js';
import type { AuthModule, ModuleParts } from '../../module.js';
import { namesOf } from '../../settings/setting-names.js';
import { SettingsError } from '../../settings/settings-error.js';
import type { Fetch } from './provider-fetch.js';
import { ProviderIdentities } from './provider-identities.js';
import { ReturnUrls } from './return-urls.js';
import {
  createSocialAccountEntity,
  createSocialExchangeEntity,
  createSocialStateEntity,
  createSocialUsedTokenEntity,
  SOCIAL_EXCHANGE_ENTITY,
  SOCIAL_STATE_ENTITY,
  SOCIAL_USED_TOKEN_ENTITY,
} from './social.entity.js';
import { SOCIAL_MAILS } from './social.mails.js';
import { CreateSocial } from './social.migration.js';
import { SocialSettings } from './social.settings.js';
import { createSocialAccountsController } from './social-accounts.controller.js';
import { SocialAccounts } from './social-accounts.js';
import { BROWSER_COOKIE, SocialBrowsers } from './social-browsers.js';
import { SOCIAL_PAGES, SocialCallback } from './social-callback.js';
import { COMPLETION, SIGN_UP_COMPLETION, SocialCompletion } from './social-completion.js';
import { SocialConnectionService } from './social-connection.service.js';
import { SOCIAL_ERRORS } from './social-errors.js';
import { AddExchangeChallenge } from './social-exchange-challenge.migration.js';
import { SocialExchanges } from './social-exchanges.js';
import { SocialFailures } from './social-failures.js';
import { createSocialFlowController } from './social-flow.controller.js';
import { SocialFlowService } from './social-flow.service.js';
import type { MapProfile } from './social-identity.js';
import { SocialLimiter } from './social-limiter.js';
import { SocialLookup } from './social-lookup.js';
import type { SocialProvider } from './social-provider.js';
import { SocialProviders } from './social-providers.js';
import { SocialSignInService } from './social-sign-in.service.js';
import { SocialStates } from './social-states.js';
import { createSocialTokenController } from './social-token.controller.js';
import { UsedIdTokens } from './used-id-tokens.js';
import './social-events.js';

declare module '../../jwt-allauth.js' {
  interface JwtAllauth {
    /** Accounts of providers, with the module `jwt-allauth/social`. */
    readonly social: SocialConnectionService;
  }
}

/** What the app chooses in code. */
export interface SocialOptions {
  /** Providers, in addition to those of SOCIAL_PROVIDERS. */
  readonly providers?: readonly SocialProvider[];
  /**
   * Called after every check of a provider's account, at each sign-in and connection. It may refuse the account by
   * throwing the app's own error. The values that it returns are stored with a new user, in the properties of the same
   * names.
   */
  readonly mapProfile?: MapProfile;
  /** Whether the provider's tokens are kept, encrypted (`auth.social.tokensOf`). Default: false. */
  readonly keepTokens?: boolean;
  /** Sends the requests to providers, for example through a proxy. Default: `fetch`. */
  readonly fetch?: Fetch;
}

/** Sign-in with OpenID and OAuth 2 providers, which come from SOCIAL_PROVIDERS and from the options. */
export function createSocialModule(options: SocialOptions = {}): AuthModule<SocialSettings> {
  return {
    name: 'social',
    settings: SocialSettings,
    errors: SOCIAL_ERRORS,
    mails: SOCIAL_MAILS,
    pages: SOCIAL_PAGES,
    entities: (user) => [
      createSocialAccountEntity(user),
      createSocialStateEntity(),
      createSocialExchangeEntity(user),
      createSocialUsedTokenEntity(),
    ],
    migrations: [
      { name: 'JwtAllauth_20261201_social', class: CreateSocial },
      { name: 'JwtAllauth_20261202_social_exchange_challenge', class: AddExchangeChallenge },
    ],
    create: (kernel, settings) => createParts(kernel, settings, options),
  };
}

/** Sign-in with the providers of SOCIAL_PROVIDERS. */
export const socialModule: AuthModule<SocialSettings> = createSocialModule();

/** @throws SettingsError if there are providers, but no PUBLIC_URL, with which the URLs of callbacks begin */
function createParts(kernel: AuthKernel, socialSettings: SocialSettings, options: SocialOptions): ModuleParts {
  const { make, settings, http } = kernel;
  const { fetch: send = (url, request) => fetch(url, request), providers = [], ...own } = options;
  const base = { ...kernel, socialSettings, socialAccounts: new SocialAccounts(kernel) };
  const socialProviders = new SocialProviders(base, providers, send);
  if (!http.links && socialProviders.all.length > 0)
    throw new SettingsError([
      { setting: namesOf(settings)('publicUrl'), message: 'is required with providers: their answers are sent to it' },
    ]);
  const parts = {
    ...base,
    socialProviders,
    socialCompletion: new SocialCompletion(base),
    socialLimiter: new SocialLimiter(base),
    providerIdentities: new ProviderIdentities({ ...kernel, ...own }),
  };
  const { socialCompletion } = parts;
  const socialConnection = make(SocialConnectionService, parts);
  const socialSignIn = make(SocialSignInService, {
    ...parts,
    socialLookup: new SocialLookup(parts),
    socialExchanges: new SocialExchanges(kernel),
  });
  const flow = { ...parts, socialConnection, socialSignIn };
  return {
    controllers: http.links ? createControllers(flow, http.links) : [],
    completions: {
      [COMPLETION]: (user, data, em) => socialCompletion.complete(user, data, em),
      [SIGN_UP_COMPLETION]: (user, data, em) => socialCompletion.completeSignUp(user, data, em),
    },
    signInMethods: [
      {
        name: 'provider',
        isUsableBy: (user, em) => socialConnection.isUsableBy(user, em),
        removeSince: (user, since, em) => socialConnection.removeSince(user, since, em),
        removeAtReset: (user, em) => socialConnection.removeAtReset(user, em),
      },
    ],
    sweeps: sweepsOf(kernel),
    api: { social: socialConnection },
  };
}

function createControllers(
  parts: AuthKernel & {
    readonly socialSettings: SocialSettings;
    readonly socialProviders: SocialProviders;
    readonly socialLimiter: SocialLimiter;
    readonly providerIdentities: ProviderIdentities;
    readonly socialConnection: SocialConnectionService;
    readonly socialSignIn: SocialSignInService;
  },
  links: LinkParts,
) {
  const callbackUrl = (provider: string) => links.url(`/social/${provider}/callback`);
  const { socialReturnUrls } = parts.socialSettings;
  const socialFailures = new SocialFailures(parts);
  const socialFlow = parts.make(SocialFlowService, {
    ...parts,
    socialFailures,
    socialStates: new SocialStates(parts),
    usedIdTokens: new UsedIdTokens(parts),
    returnUrls: new ReturnUrls(links.url(''), socialReturnUrls, namesOf(parts.settings)('socialReturnUrls')),
    callbackUrl,
  });
  const socialBrowsers = new SocialBrowsers(links.cookie(BROWSER_COOKIE));
  const own = { ...parts, socialFlow, socialFailures, socialBrowsers, callbackUrl };
  const { http } = parts;
  return [
    // Before the routes of a provider: `accounts` is no provider.
    createSocialAccountsController(own, http),
    createSocialTokenController(own, http),
    createSocialFlowController({ ...own, socialCallback: new SocialCallback(own, http) }, http),
  ];
}

function sweepsOf({ database, orm }: AuthKernel) {
  const sweep = (entity: string) => new TableSweep(database, Table.named(orm, entity), { since: 'expiresAt' });
  return {
    socialStates: sweep(SOCIAL_STATE_ENTITY),
    socialExchanges: sweep(SOCIAL_EXCHANGE_ENTITY),
    socialUsedTokens: sweep(SOCIAL_USED_TOKEN_ENTITY),
  };
}
