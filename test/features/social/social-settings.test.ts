import { describe, expect, test } from 'vitest';
import {
  createSocialModule,
  github,
  google,
  openIdProvider,
  socialModule,
} from '../../../src/features/social/index.js';
import { settingsFromEnv } from '../../../src/index.js';
import { SECRET } from '../../support/test-app.js';
import { createSocialApp } from './tiny-issuer-app.js';

const provider = { id: 'acme', issuer: 'https://id.example.com', clientId: 'c', clientSecret: 'very secret words' };

const read = (name: string, value: string) => {
  const env = { NODE_ENV: 'test', JWT_ALLAUTH_SECRET_KEY: SECRET, [`JWT_ALLAUTH_${name}`]: value };
  try {
    return settingsFromEnv(env, [socialModule]) as unknown as Record<string, unknown>;
  } catch (error) {
    return { fault: (error as Error).message };
  }
};

describe('SOCIAL_PROVIDERS', () => {
  test('is a JSON list', () => {
    const list = [{ ...provider, name: 'Acme', scopes: ['openid', 'email'], trustEmail: true }];
    expect(read('SOCIAL_PROVIDERS', JSON.stringify(list))['socialProviders']).toEqual(list);
  });

  test.each([
    ['[', 'it is not a list'],
    ['{}', 'it is not a list'],
    ['[7]', 'number 1 is not an object'],
    [JSON.stringify([{ ...provider, id: undefined }]), 'id of number 1 must be lower-case letters'],
    [JSON.stringify([{ ...provider, id: 'Acme/..' }]), 'id of number 1 must be lower-case letters'],
    [JSON.stringify([{ ...provider, id: 'accounts' }]), 'id of number 1 must be lower-case letters'],
    [JSON.stringify([provider, { ...provider, id: 'b', clientId: '' }]), 'clientId of number 2 must be a text'],
    [JSON.stringify([{ ...provider, scopes: 'openid' }]), 'scopes of number 1 must be a list of texts'],
    [JSON.stringify([{ ...provider, trustEmail: 'true' }]), 'trustEmail of number 1 must be true or false'],
    [JSON.stringify([{ ...provider, trustEmails: true }]), 'number 1 has the unknown member "trustEmails"'],
  ])('cannot be %s', (value, fault) => {
    const message = read('SOCIAL_PROVIDERS', value)['fault'];
    expect(message).toContain(`JWT_ALLAUTH_SOCIAL_PROVIDERS must be a JSON list of providers: ${fault}`);
    expect(message).not.toContain('very secret');
  });

  test.each([
    [[{ ...provider, issuer: 'http://id.example.com' }], {}],
    [[{ ...provider, issuer: 'https://id.example.com/?a=b' }], {}],
    [[{ ...provider, issuer: 'id.example.com' }], {}],
    [[{ ...provider, issuer: 'http://127.0.0.1:4000' }], { development: false, publicUrl: 'https://a.example.com' }],
  ])('must have issuers with https: %j %j', async (socialProviders, settings) => {
    const fault = await createSocialApp({}, { socialProviders, ...settings }).catch((error: Error) => error.message);
    expect(fault).toMatch(/acme must have https URLs/);
  });

  test('must not repeat an id, nor the id of a provider in code', async () => {
    const twice = { socialProviders: [provider, { ...provider, clientId: 'd' }] };
    await expect(createSocialApp({}, twice)).rejects.toThrow('two providers with the id acme');
    const inCode = { providers: [openIdProvider({ ...provider })] };
    await expect(createSocialApp(inCode, { socialProviders: [provider] })).rejects.toThrow(
      'or one that is also in code',
    );
  });
});

describe('a provider in code', () => {
  test('must have an id for paths, a client id and https URLs', async () => {
    const client = { clientId: 'c', clientSecret: 's' };
    for (const [wrong, fault] of [
      [google({ ...client, id: 'exchange' }), 'provider exchange: an id must be'],
      [google({ ...client, clientId: '' }), 'google needs a clientId'],
      [github({ ...client, url: 'http://github.example.com' }), 'github must have https URLs'],
      [github({ ...client, url: 'https://name@github.example.com' }), 'github must have https URLs'],
      [github({ ...client, url: 'https://:secret@github.example.com' }), 'github must have https URLs'],
    ] as const) {
      await expect(createSocialApp({ providers: [wrong] })).rejects.toThrow(fault);
    }
  });

  test('must not have the issuer of another provider with other endpoints: their accounts would be one', async () => {
    const client = { clientId: 'c' };
    const fake = github({ ...client, id: 'fake', url: 'https://id.example.com' });
    const server = { ...fake.server, issuer: 'https://id.example.com/' };
    const providers = [openIdProvider({ ...provider }), { ...fake, server }];
    await expect(createSocialApp({ providers })).rejects.toThrow('fake must not have the issuer of acme');
    const configured = createSocialApp({ providers: [{ ...fake, server }] }, { socialProviders: [provider] });
    await expect(configured).rejects.toThrow('acme must not have the issuer of fake');
    const twoClients = [github({ ...client, id: 'a' }), github({ ...client, id: 'b' })];
    await (await createSocialApp({ providers: twoClients })).close();
  });

  test('needs PUBLIC_URL', async () => {
    const options = { providers: [google({ clientId: 'c' })] };
    const settings = { emailVerification: 'none', publicUrl: undefined } as const;
    await expect(createSocialApp(options, settings)).rejects.toThrow(/publicUrl is required with providers/);
  });
});

describe('the module', () => {
  test('without providers and without PUBLIC_URL has no routes and breaks nothing', async () => {
    const app = await createSocialApp(
      {},
      { emailVerification: 'none', publicUrl: undefined, smtpUrl: undefined, emailFrom: undefined },
    );
    expect((await app.client().send('GET', '/auth/social/providers')).status).toBe(404);
    expect((await (await app.signedUp()).refresh()).status).toBe(200);
    await app.close();
  });

  test.each([
    ['SOCIAL_RETURN_URLS', '/in', 'must be URLs such as'],
    ['SOCIAL_RETURN_URLS', 'https://a.example.com,javascript://a', 'must be URLs such as'],
    ['SOCIAL_RATE_LIMIT', '3/15m/account', 'must be off or limits such as'],
  ])('refuses %s=%s', (name, value, fault) => {
    expect(read(name, value)['fault']).toContain(`JWT_ALLAUTH_${name} ${fault}`);
  });

  test('has defaults', () => {
    const { socialProviders, socialReturnUrls, socialRateLimit } = read('SOCIAL_RATE_LIMIT', 'off');
    expect([socialProviders, socialReturnUrls, socialRateLimit]).toEqual([[], [], []]);
    expect(createSocialModule().name).toBe('social');
  });
});
