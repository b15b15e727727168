import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { importSnippet } from '../support/documented-snippet.js';
import { problem, StubAuthServer } from '../support/stub-auth-server.js';

const CHALLENGE = { challenge: 'c'.repeat(43), methods: ['totp'], expires_in: 300 };
const PAYOUT = `${StubAuthServer.URL}/payout`;

const { createAuth } = await importSnippet('src/factors-client.ts');
const { signIn } = await importSnippet('src/sign-in.ts');
const { setUpTotp } = await importSnippet('src/set-up-totp.ts');

let server: StubAuthServer;
let askFor: ReturnType<typeof vi.fn<(what: string, message: string) => Promise<string | undefined>>>;
let auth: ReturnType<typeof createAuth>;

beforeEach(() => {
  server = new StubAuthServer(true);
  vi.stubGlobal('fetch', server.fetch);
  askFor = vi.fn(async () => '123456');
  auth = createAuth(askFor);
});
afterEach(() => {
  auth.close();
  vi.unstubAllGlobals();
});

describe('the sign-in of the manual', () => {
  beforeEach(() => {
    server.routes['POST /auth/login'] = () => problem('second_factor_required', CHALLENGE);
    server.routes['POST /auth/mfa/verify'] = ({ body }) =>
      (body as { code: string }).code === '123456' ? server.opens('1') : problem('code_not_valid');
  });
  const enter = () => signIn(auth, 'ada@example.com', 'a sentence', askFor);

  test('asks for a code until it is right', async () => {
    askFor.mockResolvedValueOnce('000000');
    expect(await enter()).toBe(true);
    expect(auth.state).toMatchObject({ status: 'signed-in' });
    const asked = [
      ['code', 'The code of your authenticator app'],
      ['code', 'code_not_valid.'],
    ];
    expect(askFor.mock.calls).toEqual(asked);
    expect(server.log.at(-1)?.body).toEqual({ challenge: CHALLENGE.challenge, code: '123456' });
  });

  test('does nothing more if the user closes the dialog', async () => {
    askFor.mockResolvedValue(undefined);
    expect(await enter()).toBe(false);
    expect(server.requests).toEqual(['POST /auth/login']);
  });

  test('needs no code without a challenge, and passes other errors on', async () => {
    server.routes['POST /auth/mfa/verify'] = () => problem('challenge_not_valid');
    await expect(enter()).rejects.toMatchObject({ code: 'challenge_not_valid' });
    server.routes['POST /auth/login'] = () => problem('incorrect_credentials');
    await expect(enter()).rejects.toMatchObject({ code: 'incorrect_credentials' });
    server.routes['POST /auth/login'] = () => server.opens('1');
    expect(await enter()).toBe(true);
    expect(askFor).toHaveBeenCalledTimes(1);
  });
});

describe('the step-up of the manual', () => {
  beforeEach(async () => {
    server.routes['GET /auth/mfa'] = () => ({ body: { totp: true } });
    server.routes['POST /auth/reauthenticate'] = () => server.proves();
    server.routes['GET /payout'] = ({ jti }) => (Number(jti) > 1 ? { body: {} } : problem('reauthentication_required'));
    await auth.login({ email: 'ada@example.com', password: 'a sentence' });
  });

  test.each([
    ['a code', true, ['code', 'reauthentication_required.'], { code: '123456' }],
    ['the password', false, ['password', 'reauthentication_required.'], { password: '123456' }],
  ])('asks for %s, according to what the user has', async (_, totp, question, proof) => {
    server.routes['GET /auth/mfa'] = () => ({ body: { totp } });
    expect((await auth.fetch(PAYOUT)).status).toBe(200);
    expect(askFor.mock.calls).toEqual([question]);
    expect(server.log.find(({ request }) => request.endsWith('/reauthenticate'))?.body).toEqual(proof);
  });

  test('asks a user without a password for the code of a mail', async () => {
    server.routes['GET /auth/mfa'] = () => ({ body: { totp: false } });
    server.routes['POST /auth/reauthenticate/code'] = () => ({ status: 204 });
    askFor.mockResolvedValueOnce('').mockResolvedValueOnce('654321');
    expect((await auth.fetch(PAYOUT)).status).toBe(200);
    expect(askFor.mock.calls.map(([what]) => what)).toEqual(['password', 'mailCode']);
    const proofs = server.log.filter(({ request }) => request.includes('/reauthenticate'));
    expect(proofs.map(({ body }) => body)).toEqual(['', { mailCode: '654321' }]);
  });

  test.each([
    [true, ['']],
    [false, ['', undefined]],
    [false, ['', '']],
  ])('gives up without a code (%s, %j)', async (totp, answers) => {
    server.routes['GET /auth/mfa'] = () => ({ body: { totp } });
    server.routes['POST /auth/reauthenticate/code'] = () => ({ status: 204 });
    for (const answer of answers) askFor.mockResolvedValueOnce(answer);
    expect((await auth.fetch(PAYOUT)).status).toBe(401);
    expect([askFor.mock.calls.length, server.requests.includes('POST /auth/reauthenticate 1')]).toEqual([
      answers.length,
      false,
    ]);
  });

  test('gives the answer to the caller if the user closes the dialog', async () => {
    askFor.mockResolvedValue(undefined);
    expect((await auth.fetch(PAYOUT)).status).toBe(401);
  });
});

describe('the set-up of the manual', () => {
  const show = { image: vi.fn(), recoveryCodes: vi.fn() };
  beforeEach(async () => {
    vi.clearAllMocks();
    server.routes['POST /auth/mfa/totp/setup'] = () => ({ body: { secret: 'S', uri: 'otpauth://x', qr: '<svg/>' } });
    server.routes['POST /auth/mfa/totp/confirm'] = () => ({ body: { recoveryCodes: ['one'] } });
    await auth.login({ email: 'ada@example.com', password: 'a sentence' });
  });

  test('shows the image and the secret, and after the right code the recovery codes', async () => {
    await setUpTotp(auth, show, askFor);
    expect(show.image.mock.calls).toEqual([['<svg/>', 'S']]);
    expect(show.recoveryCodes.mock.calls).toEqual([[['one']]]);
    expect(server.log.find(({ request }) => request.endsWith('/confirm'))?.body).toEqual({ code: '123456' });
  });

  test('confirms nothing without a code', async () => {
    askFor.mockResolvedValue(undefined);
    await setUpTotp(auth, show, askFor);
    expect(show.recoveryCodes).not.toHaveBeenCalled();
    expect(server.log.map(({ request }) => request)).not.toContain('POST /auth/mfa/totp/confirm');
  });
});
