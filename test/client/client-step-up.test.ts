import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type AskForProof, type RequiredProof, stepUp } from '../../src/client/step-up.js';
import { memoryStore, type RefreshTokenStore } from '../../src/client/store.js';
import { failure } from '../support/client-apps.js';
import { problem, type StubAnswer, StubAuthServer } from '../support/stub-auth-server.js';

const ADA = { email: 'ada@example.com', password: 'a sentence of some length' };
const PAYOUT = `${StubAuthServer.URL}/payout`;
const RFC_9470 = 'Bearer error="insufficient_user_authentication"';

let server: StubAuthServer;
let store: RefreshTokenStore;
let ask: ReturnType<typeof vi.fn<AskForProof<ReturnType<StubAuthServer['newClient']>>>>;
const newClient = () => server.newClient(store).extend(stepUp((...each) => ask(...each)));
let client: ReturnType<typeof newClient>;

/** Answers with `refusal` until the user has proved who they are after the sign-in. */
const guarded =
  (refusal: StubAnswer) =>
  ({ jti }: { readonly jti: string | undefined }): StubAnswer =>
    Number(jti) > 1 ? { body: { isPaid: true } } : refusal;
const tooOld = problem('reauthentication_required', {}, { 'WWW-Authenticate': `${RFC_9470}, max_age="600"` });

beforeEach(async () => {
  server = new StubAuthServer();
  server.routes['POST /auth/reauthenticate'] = () => server.proves();
  server.routes['POST /payout'] = guarded(tooOld);
  server.routes['DELETE /auth/user'] = guarded(tooOld);
  store = { ...memoryStore(), isShared: true };
  ask = vi.fn(async (_required, auth) => {
    await auth.reauthenticate({ password: ADA.password });
    return true;
  });
  client = newClient();
  await client.login(ADA);
  server.log.length = 0;
});
afterEach(() => {
  server.close();
  vi.restoreAllMocks();
});

describe('reauthenticate', () => {
  test.each([{ password: 'a sentence' }, { code: '123456' }, { recoveryCode: 'abcd-efgh' }, { mailCode: '654321' }])(
    'sends %o, and takes the new access token of the same session in every tab',
    async (proof) => {
      const other = newClient();
      const refresh = await store.get();
      await client.reauthenticate(proof);
      expect(server.log).toEqual([{ request: 'POST /auth/reauthenticate', jti: '1', body: proof }]);
      expect(client.state).toMatchObject({ status: 'signed-in', claims: { session: 's1', jti: '2', auth_time: 2 } });
      await vi.waitFor(() => expect(other.state).toEqual(client.state));
      expect(await store.get()).toBe(refresh);
    },
  );

  test('rejects a wrong proof, and changes nothing', async () => {
    const { state } = client;
    server.routes['POST /auth/reauthenticate'] = () => problem('incorrect_credentials');
    expect(await failure(client.reauthenticate({ password: 'x' }))).toMatchObject({ code: 'incorrect_credentials' });
    expect(client.state).toBe(state);
    expect(server.requests).toEqual(['POST /auth/reauthenticate 1']);
  });

  test('renews a refused token first', async () => {
    server.routes['POST /auth/reauthenticate'] = ({ jti }) =>
      jti === '1' ? problem('token_not_valid') : server.proves();
    await client.reauthenticate({ password: 'x' });
    expect(client.state).toMatchObject({ claims: { jti: '3', auth_time: 2 } });
    const sent = ['POST /auth/reauthenticate 1', 'POST /auth/refresh', 'POST /auth/reauthenticate 2'];
    expect(server.requests).toEqual(sent);
  });

  test('does not replace the token of a newer session', async () => {
    server.routes['POST /auth/reauthenticate'] = async () => {
      const answer = server.proves();
      const { access } = server.opens('1').body as { access: string };
      // As if another tab without Web Locks had signed in meanwhile.
      const channel = new BroadcastChannel(`jwt-allauth ${StubAuthServer.URL}/auth`);
      channel.postMessage({ token: [access, Date.now(), 0.5] });
      await vi.waitFor(() => expect(client.state).toMatchObject({ claims: { session: 's2' } }));
      channel.close();
      return answer;
    };
    await client.reauthenticate({ password: 'x' });
    expect(client.state).toMatchObject({ claims: { session: 's2' } });
  });

  test('can request a code by mail', async () => {
    server.routes['POST /auth/reauthenticate/code'] = () => ({
      status: 202,
      body: { detail: 'A mail is on its way.' },
    });
    await client.requestReauthenticationCode();
    expect(server.requests).toEqual(['POST /auth/reauthenticate/code 1']);
  });
});

describe('a request that needs a newer or stronger proof', () => {
  const pay = () => client.fetch(PAYOUT, { method: 'POST', body: '{"amount":7}' });

  test.each<[string, StubAnswer, Partial<RequiredProof>]>([
    ['a proof of some age', tooOld, { code: 'reauthentication_required', maxAge: 600 }],
    [
      'a second factor',
      problem('second_factor_required', {}, { 'WWW-Authenticate': `${RFC_9470}, acr_values="mfa"` }),
      { code: 'second_factor_required', maxAge: undefined },
    ],
    [
      'a proof whose header the page may not read',
      problem('reauthentication_required'),
      { code: 'reauthentication_required', maxAge: undefined },
    ],
    [
      'a proof of any age',
      problem('reauthentication_required', {}, { 'WWW-Authenticate': `${RFC_9470}, max_age=0` }),
      { code: 'reauthentication_required', maxAge: 0 },
    ],
    [
      'a proof for another server',
      { status: 401, body: '<html>', headers: { 'WWW-Authenticate': `${RFC_9470}, max_age="60"` } },
      { code: 'unexpected_answer', maxAge: 60 },
    ],
    [
      'a proof with a code of the app',
      problem('too_old', {}, { 'WWW-Authenticate': RFC_9470 }),
      { code: 'too_old', maxAge: undefined },
    ],
  ])('asks the app once for %s, and is repeated with the new token', async (_, refusal, required) => {
    server.routes['POST /payout'] = guarded(refusal);
    const answer = await pay();
    expect([answer.status, await answer.json()]).toEqual([200, { isPaid: true }]);
    expect(ask.mock.calls).toEqual([[{ message: expect.any(String), ...required }, client]]);
    expect(server.log).toEqual([
      { request: 'POST /payout', jti: '1', body: { amount: 7 } },
      { request: 'POST /auth/reauthenticate', jti: '1', body: { password: ADA.password } },
      { request: 'POST /payout', jti: '2', body: { amount: 7 } },
    ]);
  });

  test('asks the app also if it is a method of the client, even one that signs out', async () => {
    server.routes['GET /auth/sessions'] = guarded(tooOld);
    expect(await client.sessions()).toEqual({ isPaid: true });
    await client.deleteUser({ password: ADA.password });
    expect(client.state.status).toBe('signed-out');
    expect(ask).toHaveBeenCalledTimes(1);
  });

  test.each([
    ['returns the first answer to `fetch`', () => pay().then((answer) => answer.json())],
    ['rejects a method', () => failure(client.deleteUser({ password: 'x' }))],
  ])('%s if the app answers false', async (_, send) => {
    ask.mockResolvedValue(false);
    expect(await send()).toMatchObject({ code: 'reauthentication_required' });
    expect(server.log).toHaveLength(1);
    expect(client.state).toMatchObject({ claims: { jti: '1' } });
  });

  test('rejects with the error that the app throws', async () => {
    server.routes['POST /auth/reauthenticate'] = () => problem('incorrect_credentials');
    expect(await failure(pay())).toMatchObject({ code: 'incorrect_credentials' });
    ask.mockImplementation(() => {
      throw new Error('a mistake of the app');
    });
    await expect(pay()).rejects.toThrow('a mistake of the app');
    expect(client.state).toMatchObject({ claims: { jti: '1' } });
    server.routes['POST /auth/reauthenticate'] = () => server.proves();
    ask.mockImplementation((_, auth) => auth.reauthenticate({ code: '123456' }).then(() => true));
    expect((await pay()).status).toBe(200);
  });

  test('returns the answer to the caller of an app without `stepUp`: no token is renewed, and no user is signed out', async () => {
    const plain = server.newClient(memoryStore());
    await plain.login(ADA);
    for (const refusal of [tooOld, { status: 401, body: '', headers: { 'WWW-Authenticate': RFC_9470 } }]) {
      server.log.length = 0;
      server.routes['POST /payout'] = () => refusal;
      expect((await plain.fetch(PAYOUT, { method: 'POST' })).status).toBe(401);
      expect(server.log).toHaveLength(1);
    }
    expect(plain.state).toMatchObject({ status: 'signed-in', claims: { jti: '2' } });
  });

  test('does not end the session if it is a refresh', async () => {
    server.routes['POST /auth/refresh'] = () => tooOld;
    expect(await failure(client.refresh())).toMatchObject({ code: 'reauthentication_required' });
    expect(client.state).toMatchObject({ claims: { jti: '1' } });
    expect(await store.get()).toBe('refresh 1');
  });

  test('returns the answer to the caller if the repeated request is refused again', async () => {
    server.routes['POST /payout'] = () => tooOld;
    expect((await pay()).status).toBe(401);
    expect(server.requests).toEqual(['POST /payout 1', 'POST /auth/reauthenticate 1', 'POST /payout 2']);
    expect(ask).toHaveBeenCalledTimes(1);
  });

  test('renews a refused token first, and then asks the app', async () => {
    server.routes['POST /payout'] = ({ jti }) =>
      jti === '1' ? problem('token_not_valid') : jti === '2' ? tooOld : { body: {} };
    expect((await pay()).status).toBe(200);
    expect(server.requests).toEqual([
      'POST /payout 1',
      'POST /auth/refresh',
      'POST /payout 2',
      'POST /auth/reauthenticate 2',
      'POST /payout 3',
    ]);
  });

  test('renews the token itself if the app has proved the user in another way', async () => {
    ask.mockResolvedValue(true);
    expect((await pay()).status).toBe(200);
    expect(server.requests).toEqual(['POST /payout 1', 'POST /auth/refresh', 'POST /payout 2']);
  });

  test('asks the app once for parallel requests, even if the answer to one of them is late', async () => {
    const { promise: proved, resolve: prove } = Promise.withResolvers<void>();
    const { promise: late, resolve: answerLate } = Promise.withResolvers<void>();
    const answer = ask.getMockImplementation();
    ask.mockImplementation((...each) => proved.then(() => answer?.(...each) ?? false));
    server.routes['POST /late'] = async (sent) => {
      if (sent.jti === '1') await late;
      return guarded(tooOld)(sent);
    };
    const slow = client.fetch(`${StubAuthServer.URL}/late`, { method: 'POST' });
    server.routes['GET /auth/sessions'] = guarded(tooOld);
    const parallel = [pay(), pay(), client.sessions()];
    await vi.waitFor(() => expect(server.log).toHaveLength(4));
    prove();
    expect(await Promise.all(parallel)).toMatchObject([{ status: 200 }, { status: 200 }, { isPaid: true }]);
    answerLate();
    expect((await slow).status).toBe(200);
    expect(ask).toHaveBeenCalledTimes(1);
  });

  test('asks again for each later request after a refusal', async () => {
    ask.mockResolvedValueOnce(false);
    expect((await pay()).status).toBe(401);
    expect((await pay()).status).toBe(200);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  test('does not ask in a tab that learned of the new proof from another one', async () => {
    const other = newClient();
    await other.restore();
    const { promise: late, resolve: answerLate } = Promise.withResolvers<void>();
    server.routes['POST /late'] = async (sent) => {
      await late;
      return guarded(tooOld)(sent);
    };
    await vi.waitFor(() => expect(other.state).toEqual(client.state));
    const slow = other.fetch(`${StubAuthServer.URL}/late`, { method: 'POST' });
    await vi.waitFor(() => expect(server.requests).toContainEqual(expect.stringMatching(/^POST \/late /)));
    await client.reauthenticate({ password: 'x' });
    await vi.waitFor(() => expect(other.state).toEqual(client.state));
    answerLate();
    expect((await slow).status).toBe(200);
    expect(ask).not.toHaveBeenCalled();
  });

  test('does not ask the app again if the request with the proof is refused, which would be a deadlock', async () => {
    server.routes['POST /auth/reauthenticate'] = () => problem('second_factor_required');
    expect(await failure(pay())).toMatchObject({ code: 'second_factor_required' });
    expect(ask).toHaveBeenCalledTimes(1);
  });

  test('does not ask for a challenge, a wrong password or another error', async () => {
    server.routes['POST /payout'] = () => problem('second_factor_required', { challenge: 'c', methods: ['totp'] });
    expect((await pay()).status).toBe(401);
    server.routes['POST /payout'] = () => problem('incorrect_credentials');
    expect((await pay()).status).toBe(401);
    server.routes['POST /payout'] = () => ({ ...problem('reauthentication_required'), status: 403 });
    expect((await pay()).status).toBe(403);
    expect([ask.mock.calls, server.log.length]).toEqual([[], 3]);
  });

  test('is not repeated as another user', async () => {
    ask.mockImplementation(async () => {
      server.routes['POST /auth/login'] = () => server.opens('2');
      await newClient().login(ADA);
      await vi.waitFor(() => expect(client.state).toMatchObject({ claims: { sub: '2' } }));
      return true;
    });
    expect((await pay()).status).toBe(401);
    expect(server.requests).toEqual(['POST /payout 1', 'POST /auth/login']);
  });

  test('asks nothing if no user is signed in', async () => {
    const anonymous = server.newClient(memoryStore()).extend(stepUp((...each) => ask(...each)));
    expect((await anonymous.fetch(PAYOUT, { method: 'POST' })).status).toBe(401);
    expect(ask).not.toHaveBeenCalled();
  });
});
