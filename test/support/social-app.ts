import { createSocialModule, openIdProvider, type SocialOptions } from '../../src/features/social/index.js';
import type { TestProvider } from '../../src/features/social/testing/index.js';
import { totpModule } from '../../src/features/totp/index.js';
import { createAuthEntities, type SettingsInput } from '../../src/index.js';
import type { AuthModule } from '../../src/module-kit.js';
import { CookieJar } from './cookie-jar.js';
import { createMailApp, type MailApp, type PageAnswer, PUBLIC_URL } from './mail-app.js';
import { secrets } from './secrets.js';
import type { TestAppOptions } from './test-app.js';
import type { TestClient } from './test-client.js';
import { AppUser, Organization } from './users.js';

/** Whether the app trusts what a provider says. Default: it trusts addresses, and no second factor. */
export interface Trust {
  readonly trustEmail?: boolean;
  readonly trustMfa?: boolean;
}

/** The provider of a test as the app knows it. */
export const trusted = (provider: TestProvider, id = 'test', trust: Trust = {}) =>
  openIdProvider({ ...provider.settings({ id }), trustEmail: true, ...trust });

/** An app with providers, TOTP, mails, and other modules. */
export function createSocialApp(
  social: SocialOptions,
  settings: SettingsInput = {},
  { modules: others = [], ...options }: TestAppOptions & { readonly modules?: readonly AuthModule[] } = {},
): Promise<MailApp> {
  const modules = [createSocialModule(social), totpModule, ...others] as readonly AuthModule[];
  const entities = [AppUser, Organization, ...createAuthEntities({ user: () => AppUser, modules })];
  const own = { emailVerification: 'optional', socialRateLimit: 'off', ...settings } as const;
  return createMailApp(own, { ...options, orm: { entities, ...options.orm } });
}

/** Where a sign-in has ended. */
export interface Landing extends PageAnswer {
  /** The parameters of the fragment and of the query of the address to which the browser was sent. */
  readonly fragment: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
}

/** A browser with cookies, which follows redirects only where a test says so. */
export class SocialBrowser {
  readonly jar = new CookieJar();

  constructor(private readonly app: MailApp) {}

  /** Opens an address of the app. */
  async open(url: string, init: RequestInit = {}): Promise<Landing> {
    const path = url.replace(PUBLIC_URL, '').replace(this.app.url, '');
    const headers = { ...this.jar.headerFor(path.split('?')[0] ?? ''), ...init.headers };
    const answer = await this.app.open(this.app.url + path, { ...init, headers });
    this.jar.take(answer.headers);
    const location = answer.location ? new URL(answer.location) : undefined;
    const parametersOf = (text = '') => Object.fromEntries(new URLSearchParams(text));
    const fragment = parametersOf(location?.hash.slice(1));
    secrets.add(fragment['code'], fragment['challenge']);
    return { ...answer, fragment, query: parametersOf(location?.search) };
  }

  /** Begins a sign-in. @returns the address at the provider */
  async start(id = 'test', query: Readonly<Record<string, string>> = {}): Promise<URL> {
    const { status, location, html } = await this.open(`/auth/social/${id}?${new URLSearchParams(query)}`);
    if (status !== 303 || !location) throw new Error(`the start was answered with ${status} ${html}`);
    return new URL(location);
  }

  /** Signs in at the provider. @returns the callback */
  async visit(at: URL): Promise<URL> {
    const answer = await fetch(at, { redirect: 'manual' });
    const callback = new URL(answer.headers.get('location') ?? '');
    secrets.add(callback.searchParams.get('code'), callback.searchParams.get('state'));
    return callback;
  }

  /** The whole sign-in. */
  async signIn(id = 'test', query: Readonly<Record<string, string>> = {}): Promise<Landing> {
    const start = await this.open(`/auth/social/${id}?${new URLSearchParams(query)}`);
    const at = start.location && new URL(start.location);
    if (!(at instanceof URL) || !at.searchParams.has('code_challenge')) return start; // refused, or back at the app
    return this.open((await this.visit(at)).href);
  }

  /** A client with the tokens of this browser. */
  async client(landing?: Landing): Promise<TestClient> {
    const client = this.app.client();
    const { code } = landing?.fragment ?? {};
    if (code) {
      const { body } = await client.send('POST', '/auth/social/exchange', { code }, { 'auth-transport': 'body' });
      return Object.assign(client, { access: body.access, refreshToken: body.refresh });
    }
    client.refreshToken = this.jar.all.find(({ name }) => name === 'refresh_token')?.value ?? '';
    await client.refresh();
    return client;
  }
}

/** The accounts of providers that are connected, oldest first, with the address of their user. */
export async function linksOf(app: MailApp): Promise<{ provider: string; sub: string; user: string }[]> {
  const sql = `select provider, sub, u.email as "user" from auth_social_account s join app_user u on u.id = s.user_id
    order by s.connected_at, u.email`;
  return (await app.database.pool.query(sql)).rows;
}
