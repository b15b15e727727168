import { createSocialModule, openIdProvider, type SocialOptions } from '../../../src/features/social/index.js';
import { totpModule } from '../../../src/features/totp/index.js';
import { createAuthEntities, type SettingsInput } from '../../../src/index.js';
import { createMailApp, type MailApp, PUBLIC_URL } from '../../support/mail-app.js';
import type { TestAppOptions } from '../../support/test-app.js';
import { AppUser, Organization } from '../../support/users.js';
import type { TinyIssuer } from './tiny-issuer.js';

/** The entities of an app with providers and TOTP. */
export function socialEntities(options: SocialOptions) {
  const modules = [createSocialModule(options), totpModule];
  return [AppUser, Organization, ...createAuthEntities({ user: () => AppUser, modules: modules as never })];
}

/** A trusted provider `tiny` and an untrusted one `other`, both at one issuer. */
export function tinyProviders(issuer: TinyIssuer) {
  const client = { clientId: 'client', clientSecret: 'client-secret', issuer: issuer.url, nativeClientIds: ['native'] };
  return [
    openIdProvider({ ...client, id: 'tiny', name: 'Tiny', trustEmail: true, trustMfa: true }),
    openIdProvider({ ...client, id: 'other', name: 'Other' }),
  ];
}

/** Starts an app with providers, under EMAIL_VERIFICATION=`optional`. */
export function createSocialApp(
  options: SocialOptions,
  settings: SettingsInput = {},
  appOptions: TestAppOptions = {},
): Promise<MailApp> {
  const all = { emailVerification: 'optional', ...settings } as const;
  return createMailApp(all, { ...appOptions, orm: { entities: socialEntities(options), ...appOptions.orm } });
}

/** A browser: keeps its cookies, and follows no redirect. */
export class Browser {
  readonly cookies = new Map<string, string>();

  constructor(private readonly app: Pick<MailApp, 'open' | 'url'>) {}

  async open(url: string, init: RequestInit = {}) {
    const full = url.startsWith('/') ? this.app.url + url : url;
    const cookie = [...this.cookies].map((pair) => pair.join('=')).join('; ');
    const answer = await this.app.open(full, { ...init, headers: { ...(cookie && { cookie }), ...init.headers } });
    for (const [name, text] of answer.cookies) this.cookies.set(name, text.split(';')[0]?.split('=')[1] ?? '');
    return answer;
  }

  /** Begins at the app, signs in at the provider, and comes back. */
  async signIn(issuer: TinyIssuer, path = '/auth/social/tiny') {
    const start = await this.open(path);
    return this.open(issuer.authorize(start.location ?? ''));
  }
}

/** The URL of the app in redirects. */
export const HOME = `${PUBLIC_URL}/`;
