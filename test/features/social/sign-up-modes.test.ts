import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { causesInWords } from '../../../src/features/social/provider-errors.js';
import { socialError } from '../../../src/features/social/social-errors.js';
import type { MailApp } from '../../support/mail-app.js';
import { startTinyIssuer, type TinyIssuer } from './tiny-issuer.js';
import { Browser, createSocialApp, HOME, tinyProviders } from './tiny-issuer-app.js';

let issuer: TinyIssuer;
let app: MailApp;
let email: string;
let count = 0;

beforeAll(async () => {
  issuer = await startTinyIssuer();
  app = await createSocialApp({ providers: tinyProviders(issuer) }, { emailVerification: 'none' });
});
afterAll(async () => {
  await app.close();
  await issuer.close();
});
beforeEach(() => {
  email = `mode${++count}@example.com`;
  issuer.claims = { sub: email, email, email_verified: true };
});

const users = async (of: MailApp) =>
  (await of.database.pool.query('select email_verified from app_user where email = $1', [email])).rows;

describe('under EMAIL_VERIFICATION=none, where every address counts as confirmed', () => {
  test('an account of a provider is not connected by its address: another person may have signed up with it', async () => {
    await app.signedUp(email);
    for (const provider of ['tiny', 'other']) {
      const { location } = await new Browser(app).signIn(issuer, `/auth/social/${provider}`);
      expect(location).toBe(`${HOME}?error=email_already_registered#status=409`);
    }
    const { rows } = await app.database.pool.query('select 1 from auth_social_account where sub = $1', [email]);
    expect(rows).toEqual([]);
  });

  test('a new user of any provider has a confirmed address, because no mail would confirm it', async () => {
    expect((await new Browser(app).signIn(issuer, '/auth/social/other')).location).toBe(HOME);
    expect(await users(app)).toEqual([{ email_verified: true }]);
    expect(await app.mailCount()).toBe(0);
  });
});

describe('a sign-up with a provider', () => {
  const limited = async (settings: object) => {
    const one = await createSocialApp({ providers: tinyProviders(issuer) }, settings);
    const locations = [];
    for (let each = 0; each < 3; each++) {
      issuer.claims['sub'] = `${email} ${each}`;
      issuer.claims['email'] = `${each}${email}`;
      locations.push((await new Browser(one).signIn(issuer, '/auth/social/other')).location);
    }
    await one.close();
    return locations;
  };

  test('counts for the limit of sign-ups, and its mail for the limit of mails', async () => {
    const refused = expect.stringMatching(/\/\?error=too_many_requests#status=429&retry_after=\d+$/);
    expect(await limited({ registrationRateLimit: '2/1h/ip' })).toEqual([HOME, HOME, refused]);
    expect(await limited({ mailRateLimit: '1/1h/ip' })).toEqual([HOME, refused, refused]);
  });

  test('of an untrusted provider sends a mail to confirm the address, and opens no session before if that is mandatory', async () => {
    const strict = await createSocialApp({ providers: tinyProviders(issuer) }, { emailVerification: 'mandatory' });
    const browser = new Browser(strict);
    const back = await browser.signIn(issuer, '/auth/social/other');
    expect([back.location, back.cookies.size]).toEqual([`${HOME}?error=email_not_verified#status=401`, 0]);
    expect(await users(strict)).toEqual([]);
    await strict.open(await strict.linkTo(email));
    expect(await users(strict)).toEqual([{ email_verified: true }]);
    expect((await browser.signIn(issuer, '/auth/social/other')).location).toBe(HOME);
    await strict.close();
  });
});

describe('a value of mapProfile that no column can store', () => {
  const mapProfile = () => ({ firstName: 'x'.repeat(151) });
  const fault = { level: 'error', reason: expect.stringMatching(/too long/) };
  const errors = ({ log }: MailApp) => log.filter(({ level }) => level === 'error');

  test('fails at the sign-in that creates the user, with the reason in the log', async () => {
    const own = await createSocialApp({ providers: tinyProviders(issuer), mapProfile }, { emailVerification: 'none' });
    const { location } = await new Browser(own).signIn(issuer, '/auth/social/tiny');
    expect(location).toBe(`${HOME}?error=internal_error#status=500`);
    expect(errors(own)).toMatchObject([{ ...fault, provider: 'tiny' }]);
    await own.close();
  });

  test('fails at the link that confirms the address, with the reason in the log', async () => {
    const settings = { emailVerification: 'mandatory' } as const;
    const own = await createSocialApp({ providers: tinyProviders(issuer), mapProfile }, settings);
    await new Browser(own).signIn(issuer, '/auth/social/other');
    expect((await own.open(await own.linkTo(email))).status).toBe(500);
    expect(errors(own)).toMatchObject([fault]);
    expect(await users(own)).toEqual([]);
    await own.close();
  });
});

describe('the log of a refusal', () => {
  test('has messages and codes, but nothing that the provider has sent', () => {
    const syntax = new SyntaxError(`Unexpected token 'e', "{"access_token":"secret…" is not valid JSON`);
    const ofClient = Object.assign(new Error('parsing error occured', { cause: syntax }), {
      code: 'OAUTH_PARSE_ERROR',
    });
    const description = Object.assign(new Error('the provider refused', { cause: ofClient }), {
      error: 'access_denied',
      error_description: 'secret',
    });
    expect(causesInWords(socialError('provider_refused', { cause: description }))).toEqual([
      'provider_refused',
      'the provider refused',
      'access_denied',
      'parsing error occured',
      'OAUTH_PARSE_ERROR',
      'not JSON',
    ]);
    expect(causesInWords(Object.assign(new Error('x'), { error: 'two words', code: 7 }))).toEqual(['x']);
  });
});
