import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from 'vitest';
import { type AuthClient, AuthError } from '../../src/client/index.js';
import { mailMethods } from '../../src/client/mail-methods.js';
import { memoryStore, type RefreshTokenStore } from '../../src/client/store.js';
import { type MfaStatus, mfaMethods } from '../../src/features/totp/totp.client.js';
import { failure } from '../support/client-apps.js';
import { problem, StubAuthServer } from '../support/stub-auth-server.js';

const ADA = { email: 'ada@example.com', password: 'a sentence of some length' };
const CHALLENGE = { challenge: 'c'.repeat(43), methods: ['totp', 'recovery_code'], expires_in: 300 };
const CODES = { recoveryCodes: ['one', 'two'] };

let server: StubAuthServer;
let store: RefreshTokenStore;
const newClient = () => server.newClient(store).extend(mfaMethods).extend(mailMethods);
let client: ReturnType<typeof newClient>;

beforeEach(() => {
  server = new StubAuthServer();
  store = { ...memoryStore(), isShared: true };
  client = newClient();
});
afterEach(() => {
  server.close();
  vi.restoreAllMocks();
});

describe('a sign-in that needs a second factor', () => {
  const challenged = () => problem('second_factor_required', CHALLENGE, { 'WWW-Authenticate': 'Bearer' });
  const WAYS: [string, string, () => Promise<unknown>][] = [
    ['login', 'POST /auth/login', () => client.login(ADA)],
    ['register', 'POST /auth/registration', () => client.register(ADA)],
    ['resetPassword', 'POST /auth/password/reset/set-new', () => client.resetPassword({ newPassword: 'x' })],
    ['acceptInvitation', 'POST /auth/registration/set-password', () => client.acceptInvitation({ newPassword: 'x' })],
    ['changePassword', 'POST /auth/password/change', () => client.changePassword({ newPassword: 'x' })],
  ];

  test.each(WAYS)('rejects with the challenge in %s, and changes nothing', async (name, route, enter) => {
    if (name === 'changePassword') await client.login(ADA);
    const [before, refresh] = [client.state, await store.get()];
    server.routes[route] = challenged;
    const error = await failure(enter());
    expect(error).toBeInstanceOf(AuthError);
    const { code, status, message, challenge, methods, expiresIn } = error;
    expect({ code, status, message, challenge, methods, expiresIn }).toEqual({
      code: 'second_factor_required',
      status: 401,
      message: 'second_factor_required.',
      challenge: CHALLENGE.challenge,
      methods: ['totp', 'recovery_code'],
      expiresIn: 300,
    });
    expect(client.state).toBe(before);
    expect(await store.get()).toBe(refresh);
    expect(server.log.filter(({ request }) => request === route)).toHaveLength(1);
    expect(server.log.map(({ request }) => request)).not.toContain('POST /auth/refresh');
  });

  test('rejects without a challenge if it fails with another error', async () => {
    server.routes['POST /auth/login'] = () => problem('incorrect_credentials');
    const { code, challenge, methods, expiresIn, errors, retryAfter } = await failure(client.login(ADA));
    const none = [undefined, undefined, undefined, [], undefined];
    expect([code, challenge, methods, expiresIn, errors, retryAfter]).toEqual(['incorrect_credentials', ...none]);
  });

  test.each([
    ['signed in', true],
    ['signed out', false],
  ])('changes nothing in a second tab that is %s', async (_, isSignedIn) => {
    const other = newClient();
    const changes: unknown[] = [];
    if (isSignedIn) await other.login(ADA);
    else await other.restore();
    await vi.waitFor(() => expect(client.state.status).toBe(isSignedIn ? 'signed-in' : 'unknown'));
    const [own, theirs] = [client.state, other.state];
    for (const each of [client, other]) each.subscribe(() => changes.push(each.state));
    server.routes['POST /auth/login'] = challenged;
    server.routes['GET /auth/user'] = ({ jti }) => (jti ? { body: { id: '1' } } : problem('not_authenticated'));
    const refused = failure(client.login(ADA));
    const asked = other.getUser().catch(({ code }) => code);
    expect(await refused).toMatchObject({ challenge: CHALLENGE.challenge });
    expect(await asked).toEqual(isSignedIn ? { id: '1' } : 'not_authenticated');
    expect([client.state, other.state, changes]).toEqual([own, theirs, []]);
    expect(client.state).toBe(own);
    expect(other.state).toBe(theirs);

    // The second tab goes on, and the first one can still answer its challenge.
    if (isSignedIn) {
      await other.refresh();
      await other.logout().catch(() => undefined);
    }
    server.routes['POST /auth/mfa/verify'] = () => server.opens('1');
    await client.mfa.verify({ challenge: CHALLENGE.challenge, code: '123456' });
    await vi.waitFor(() => expect(other.state).toEqual(client.state));
  });
});

describe('the methods of the module for TOTP', () => {
  beforeEach(async () => {
    await client.login(ADA);
    server.log.length = 0;
  });

  test('send the documented requests', async () => {
    const setup = { secret: 'JBSWY3DPEHPK3PXP', uri: 'otpauth://totp/x', qr: '<svg/>' };
    const status = { mode: 'optional', totp: true, recoveryCodesLeft: 9, passkeys: 0 } as const;
    server.routes['GET /auth/mfa'] = () => ({ body: status });
    server.routes['POST /auth/mfa/totp/setup'] = () => ({ body: setup });
    server.routes['POST /auth/mfa/recovery-codes'] = () => ({ body: CODES });
    server.routes['DELETE /auth/mfa/totp'] = () => ({ status: 204 });
    const shown = await client.mfa.status();
    expectTypeOf(shown).toEqualTypeOf<MfaStatus>();
    expect(shown).toEqual(status);
    expect(await client.mfa.setup()).toEqual(setup);
    expect(await client.mfa.setup({ challenge: 'c' })).toEqual(setup);
    expect(await client.mfa.newRecoveryCodes()).toEqual(CODES);
    expect(await client.mfa.removeTotp()).toBeUndefined();
    expect(server.log).toEqual([
      { request: 'GET /auth/mfa', jti: '1', body: '' },
      { request: 'POST /auth/mfa/totp/setup', jti: '1', body: {} },
      { request: 'POST /auth/mfa/totp/setup', jti: undefined, body: { challenge: 'c' } },
      { request: 'POST /auth/mfa/recovery-codes', jti: '1', body: '' },
      { request: 'DELETE /auth/mfa/totp', jti: '1', body: '' },
    ]);
  });

  test('sign in by a code or a recovery code, in every tab', async () => {
    const other = newClient();
    server.routes['POST /auth/mfa/verify'] = () => server.opens('2');
    for (const proof of [{ code: '123456' }, { recoveryCode: 'abcd-efgh' }]) {
      const session = client.state;
      await client.mfa.verify({ challenge: 'c', ...proof });
      expect(client.state).not.toBe(session);
      expect(client.state).toMatchObject({ status: 'signed-in', claims: { sub: '2' } });
      await vi.waitFor(() => expect(other.state).toEqual(client.state));
      expect(server.log.at(-1)).toEqual({
        request: 'POST /auth/mfa/verify',
        jti: undefined,
        body: { challenge: 'c', ...proof },
      });
    }
    expect(await store.get()).toBe('refresh 3');
  });

  test('renew the token after a confirmation, so that it has the new `amr`', async () => {
    server.routes['POST /auth/mfa/totp/confirm'] = () => ({ body: CODES });
    expect(await client.mfa.confirm({ code: '123456', revokeOthers: false })).toEqual(CODES);
    expect(server.log).toEqual([
      { request: 'POST /auth/mfa/totp/confirm', jti: '1', body: { code: '123456', revokeOthers: false } },
      { request: 'POST /auth/refresh', jti: undefined, body: { refresh: 'refresh 1' } },
    ]);
    expect(client.state).toMatchObject({ claims: { jti: '2' } });
  });

  test('show the recovery codes even if that renewal fails', async () => {
    server.routes['POST /auth/mfa/totp/confirm'] = () => ({ body: CODES });
    server.routes['POST /auth/refresh'] = () => ({ status: 500, body: 'oops' });
    expect(await client.mfa.confirm({ code: '123456' })).toEqual(CODES);
    expect(client.state).toMatchObject({ claims: { jti: '1' } });
  });

  test('sign in by a confirmation with a challenge, and give the app no token', async () => {
    server.routes['POST /auth/mfa/totp/confirm'] = () => ({
      body: { ...CODES, ...(server.opens('3').body as object) },
    });
    expect(await client.mfa.confirm({ code: '123456', challenge: 'c' })).toEqual(CODES);
    expect(client.state).toMatchObject({ status: 'signed-in', claims: { sub: '3' } });
    expect(server.log).toEqual([
      { request: 'POST /auth/mfa/totp/confirm', jti: undefined, body: { code: '123456', challenge: 'c' } },
    ]);
    expect(await store.get()).toBe('refresh 2');
  });
});

test('a client without the methods of a module does not have them in its types', () => {
  expectTypeOf<AuthClient>().not.toHaveProperty('mfa');
  expectTypeOf<AuthClient>().not.toHaveProperty('invite');
  expectTypeOf(client).toExtend<AuthClient>();
});
