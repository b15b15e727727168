import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AuthClient } from '../../src/client/index.js';
import { mailMethods } from '../../src/client/mail-methods.js';
import { type AskForProof, stepUp } from '../../src/client/step-up.js';
import { memoryStore } from '../../src/client/store.js';
import { mfaMethods } from '../../src/features/totp/totp.client.js';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import type { SettingsInput } from '../../src/index.js';
import { failure } from '../support/client-apps.js';
import { ClientNetwork } from '../support/client-network.js';
import type { MailApp } from '../support/mail-app.js';
import { secrets } from '../support/secrets.js';
import { PASSWORD } from '../support/test-client.js';
import { createTotpMailApp, nextCode } from '../support/totp-app.js';

const ADA = { email: 'ada@example.com', password: PASSWORD };

describe.each([
  ['cookies', true],
  ['bodies', false],
])('a client of a server with TOTP and refresh tokens in %s', (_, refreshTokenAsCookie) => {
  let app: MailApp;
  let network: ClientNetwork;
  let asked: string[];
  let proof: () => Parameters<ReturnType<typeof newClient>['reauthenticate']>[0];

  function newClient() {
    const store = refreshTokenAsCookie ? undefined : memoryStore();
    const ask: AskForProof<AuthClient> = async ({ code, maxAge }, auth) => {
      asked.push(`${code} ${maxAge}`);
      await auth.reauthenticate(proof());
      return true;
    };
    return new AuthClient<{ amr: string[] }>({ url: `${app.url}/auth`, fetch: network.fetch, ...(store && { store }) })
      .extend(mailMethods)
      .extend(mfaMethods)
      .extend(stepUp(ask));
  }
  let client: ReturnType<typeof newClient>;

  async function start(settings: SettingsInput = {}): Promise<void> {
    app = await createTotpMailApp({ refreshTokenAsCookie, ...settings });
    network = new ClientNetwork();
    client = newClient();
  }
  beforeEach(() => {
    asked = [];
  });
  afterEach(async () => {
    client.close();
    await app.close();
  });

  /** Sets an authenticator app up, for the signed-in user or for the challenge of a sign-in. */
  async function enrol(by: { readonly challenge?: string } = {}) {
    const { secret } = await client.mfa.setup(by);
    const { recoveryCodes } = await client.mfa.confirm({ ...by, code: totpCode(secret, app.clock.now()) });
    secrets.add(secret, ...recoveryCodes);
    return { secret, recoveryCodes };
  }
  const amr = () => (client.state.status === 'signed-in' ? client.state.claims.amr : undefined);

  test('sets a factor up, signs in with it, and uses a recovery code', async () => {
    await start();
    await client.register(ADA);
    expect(await client.mfa.status()).toEqual({ mode: 'optional', totp: false, recoveryCodesLeft: 0, passkeys: 0 });
    const { secret, recoveryCodes } = await enrol();
    expect(recoveryCodes).toHaveLength(10);
    expect(amr()).toEqual(['pwd', 'otp', 'mfa']);
    await client.logout();

    const { state } = client;
    const error = await failure(client.login(ADA));
    expect(error).toMatchObject({ code: 'second_factor_required', status: 401, expiresIn: 300 });
    expect(error.challenge).toMatch(/^[\w-]{43}$/);
    expect(error.methods).toEqual(['totp', 'recovery_code']);
    expect(client.state).toBe(state);
    const challenge = error.challenge as string;
    expect(await failure(client.mfa.verify({ challenge, code: '000000' }))).toMatchObject({ code: 'code_not_valid' });
    await client.mfa.verify({ challenge, code: nextCode(app, secret) });
    expect(amr()).toEqual(['pwd', 'otp', 'mfa']);
    await client.refresh();
    expect(amr()).toEqual(['pwd', 'otp', 'mfa']);

    await client.logout();
    const again = (await failure(client.login(ADA))).challenge as string;
    await client.mfa.verify({ challenge: again, recoveryCode: recoveryCodes[0] as string });
    expect(await client.mfa.status()).toMatchObject({ totp: true, recoveryCodesLeft: 9 });
  });

  test('repeats a request after a step-up, also if the access token has expired meanwhile', async () => {
    await start({ accessTokenLifetime: '5m' });
    await client.register(ADA);
    const { secret } = await enrol();
    app.clock.advance('11m');
    network.log.length = 0;
    proof = () => ({ code: nextCode(app, secret) });
    expect((await client.mfa.newRecoveryCodes()).recoveryCodes).toHaveLength(10);
    expect(asked).toEqual(['reauthentication_required 600']);
    expect(network.log).toEqual([
      'POST /auth/mfa/recovery-codes 401',
      'POST /auth/refresh 200',
      'POST /auth/mfa/recovery-codes 401',
      'POST /auth/reauthenticate 200',
      'POST /auth/mfa/recovery-codes 200',
    ]);
    await client.refresh();
    expect(await app.liveSessions()).toBe(1);
    await client.mfa.removeTotp();
    expect(await client.mfa.status()).toMatchObject({ totp: false });
    expect(asked).toHaveLength(1);
  });

  test('passes a refused proof on, and the user stays signed in', async () => {
    await start();
    await client.register(ADA);
    await enrol();
    app.clock.advance('11m');
    for (const [wrong, code] of [
      [{ code: '000000' }, 'incorrect_credentials'],
      [{ password: PASSWORD }, 'second_factor_required'],
    ] as const) {
      proof = () => wrong;
      expect(await failure(client.mfa.removeTotp())).toMatchObject({ code, status: 401 });
    }
    expect(asked).toHaveLength(2);
    expect(client.state.status).toBe('signed-in');
    expect(await client.mfa.status()).toMatchObject({ totp: true });
  });

  test('accepts the password of a user without a second factor', async () => {
    await start();
    await client.register(ADA);
    app.clock.advance('11m');
    proof = () => ({ password: PASSWORD });
    expect((await client.mfa.setup()).uri).toMatch(/^otpauth:\/\/totp\//);
    expect(asked).toEqual(['reauthentication_required 600']);
    expect(await failure(client.requestReauthenticationCode())).toMatchObject({ code: 'mail_code_not_available' });
  });

  test('sets a factor up at the sign-in if every user must have one', async () => {
    await start({ mfaMode: 'required' });
    await failure(client.register(ADA));
    const error = await failure(client.login(ADA));
    expect(error).toMatchObject({ code: 'second_factor_required', methods: ['totp_setup'] });
    expect(client.state.status).not.toBe('signed-in');
    const { recoveryCodes } = await enrol({ challenge: error.challenge as string });
    expect(recoveryCodes).toHaveLength(10);
    expect(client.state.status).toBe('signed-in');
    expect(amr()).toEqual(['pwd', 'otp', 'mfa']);
  });

  test('completes a password reset with the second factor', async () => {
    await start();
    await client.register(ADA);
    const { secret } = await enrol();
    await client.logout();
    await app.mailsTo(ADA.email); // that a factor was added
    await client.requestPasswordReset({ email: ADA.email });
    const link = await app.linkTo(ADA.email, 2);
    await network.fetch(new Request(link, { redirect: 'manual', credentials: 'include' }));
    const error = await failure(client.resetPassword({ newPassword: 'a new sentence of some length' }));
    expect(error).toMatchObject({ code: 'second_factor_required', methods: ['totp', 'recovery_code'] });
    await client.mfa.verify({ challenge: error.challenge as string, code: nextCode(app, secret) });
    expect((await client.getUser()).email).toBe(ADA.email);
  });
});
