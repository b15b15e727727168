import { magicLinkModule } from '../../src/features/magic-link/index.js';
import { totpModule } from '../../src/features/totp/index.js';
import type { SettingsInput } from '../../src/index.js';
import { entitiesWith } from './codes.module.js';
import { createMailApp, type MailApp, type PageAnswer } from './mail-app.js';
import { secrets } from './secrets.js';
import type { TestAppOptions } from './test-app.js';
import type { Answer } from './test-client.js';

/** The name of the one-time cookie. */
export const COOKIE = 'magic_link_access_token';

/** A link and a code as the mailbox has them, and the request that the browser has. */
export interface Mailed {
  readonly request: string;
  readonly link: string;
  readonly code: string;
}

/** An app with the module `jwt-allauth/magic-link`. */
export interface MagicLinkApp extends MailApp {
  /** Asks for a mail. */
  ask(email: string, headers?: Record<string, string>): Promise<Answer>;
  /** Asks for a mail, and reads it. */
  mailed(email: string): Promise<Mailed>;
  /** Signs in with a code. */
  verify(body: object, headers?: Record<string, string>): Promise<Answer>;
  /** Opens a link, and returns the cookie that it sets, as a browser sends it. */
  cookieOf(link: string): Promise<string>;
  /** Signs in with the cookie, as an app's own page does. */
  signIn(cookie: string, headers?: Record<string, string>): Promise<Answer>;
  /** Presses the button of the built-in page. */
  press(cookie: string, headers?: Record<string, string>): Promise<PageAnswer>;
  /** Waits until the background work of all requests is done. */
  settled(): Promise<void>;
}

/** Starts an app with magic links, second factors and mails. */
export async function createMagicLinkApp(
  settings: SettingsInput = {},
  options: TestAppOptions = {},
): Promise<MagicLinkApp> {
  const orm = { entities: entitiesWith(magicLinkModule, totpModule), ...options.orm };
  const app = await createMailApp(settings, { ...options, orm });
  const ask = (email: string, headers: Record<string, string> = {}) =>
    app.client().send('POST', '/auth/magic-link', { email }, headers);
  return {
    ...app,
    ask,
    mailed: async (email) => {
      const count = app.sink.mails.filter((mail) => [mail.to].flat().some((to) => to?.text === email)).length;
      const { status, body } = await ask(email);
      if (status !== 202) throw new Error(`the request was answered with ${status} ${body.code}`);
      return { request: body.request, ...(await mailedTo(app, email, count + 1)) };
    },
    verify: (body, headers) => app.client().send('POST', '/auth/magic-link/verify', body, headers),
    cookieOf: async (link) => {
      const opened = await app.open(link);
      const cookie = opened.cookies.get(COOKIE)?.split(';')[0];
      if (!cookie) throw new Error(`the link was answered with ${opened.status} and no cookie`);
      return cookie;
    },
    signIn: (cookie, headers) => app.client().send('POST', '/auth/magic-link/sign-in', {}, { cookie, ...headers }),
    press: (cookie, headers = {}) =>
      app.open(`${app.url}/auth/magic-link/sign-in`, {
        method: 'POST',
        body: new URLSearchParams(),
        headers: { cookie, origin: app.url, ...headers },
      }),
    settled: () => settled(app),
  };
}

/** Link and code of the latest mail to an address. */
export async function mailedTo(app: MailApp, email: string, count = 1): Promise<Omit<Mailed, 'request'>> {
  const link = await app.linkTo(email, count);
  const code = codeIn((await app.mailsTo(email, count)).at(-1)?.text ?? '');
  secrets.add(link.split('/').at(-1));
  return { link, code };
}

/** The six digits in a mail. */
export function codeIn(text: string): string {
  const [, code] = /: (\d{6})\b/.exec(text) ?? [];
  if (!code) throw new Error('there is no code in the mail');
  return code;
}

/** A code other than this one. */
export const wrong = (code: string, by = 1): string => String((Number(code) + by) % 1_000_000).padStart(6, '0');

/** Waits until no job and no mail is left. */
async function settled(app: MailApp): Promise<void> {
  for (;;) {
    const { rows } = await app.database.pool.query('select 1 from auth_outbox_mail');
    if (rows.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
