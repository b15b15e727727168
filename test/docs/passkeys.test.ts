import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AuthError } from '../../src/client/index.js';
import { passkeyMethods } from '../../src/client/passkeys.js';
import { memoryStore } from '../../src/client/store.js';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import { importSnippet } from '../support/documented-snippet.js';
import { pages } from '../support/manual.js';
import { addPasskey as addTo, createPasskeysApp, requestOptions, sessionFor } from '../support/passkeys-app.js';
import { createPerson } from '../support/person.js';
import { problem, StubAuthServer } from '../support/stub-auth-server.js';
import { StubPasskeyBrowser } from '../support/stub-passkey-browser.js';
import { PASSWORD } from '../support/test-client.js';

const REQUEST = { challenge: 'AAAA', rpId: 'app.example.com', timeout: 300_000 };
const CREATION = {
  challenge: 'BBBB',
  rp: { id: 'app.example.com', name: 'Example' },
  user: { id: 'dXNlcg', name: 'ada@example.com', displayName: 'ada@example.com' },
  pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
};
const PASSKEY = { id: 'p1', name: 'Phone', createdAt: 'x', lastUsedAt: null, isBackedUp: true, isDisabled: false };
const MANAGER = 'ada@example.com';

/** The rows of a section's table, without its head: the texts of their cells. */
function rowsOf(page: string, section: string): string[][] {
  const [, text = ''] = (pages.get(`docs/${page}.md`) ?? '').split(new RegExp(`\n##+ ${section}\n`));
  const lines = (text.split(/\n##+ /)[0] ?? '').split('\n').filter((line) => line.startsWith('|'));
  const cells = lines.slice(2).map((line) => line.split('|').slice(1, -1));
  return cells.map((row) => row.map((cell) => cell.trim()));
}

const { createAuth, signInWithPasskey, suggestPasskeys } = await importSnippet('src/passkey-client.ts');
const { passkeyButton } = await importSnippet('src/passkey-answer.ts');
const { createAuth: createStepUp } = await importSnippet('src/passkey-step-up.ts');
const { addPasskey, passkeyLines } = await importSnippet('src/passkey-panel.ts');

let server: StubAuthServer;
let browser: StubPasskeyBrowser;
let auth: ReturnType<typeof createAuth>;
beforeEach(() => {
  server = new StubAuthServer(true);
  vi.stubGlobal('fetch', server.fetch);
  vi.stubGlobal('document', { hidden: false, addEventListener: () => {} });
  browser = new StubPasskeyBrowser(StubAuthServer.URL, { isNew: true, hasAutofill: true });
  browser.authenticator.create(CREATION);
  Object.assign(server.routes, {
    'POST /auth/login': () => server.opens('1'),
    'POST /auth/passkeys/login/options': () => ({ body: REQUEST }),
    'POST /auth/passkeys/login': () => server.opens('2'),
    'POST /auth/passkeys/registration/options': () => ({ body: CREATION }),
    'POST /auth/passkeys/registration': () => ({ status: 201, body: PASSKEY }),
  });
  auth = createAuth();
});
afterEach(() => {
  auth.close();
  browser.close();
  vi.unstubAllGlobals();
});

/** What a browser does when the user closes the dialog, or has such a passkey already. */
const throws = (name: string) => () => {
  throw new DOMException('refused', name);
};

describe('the sign-in of the page', () => {
  test('signs in by a button and in autofill, and knows when the user has closed the dialog', async () => {
    expect(await signInWithPasskey(auth)).toBe(true);
    expect(auth.state.status).toBe('signed-in');
    browser.user = throws('NotAllowedError');
    expect(await signInWithPasskey(auth)).toBe(false);
    browser.user = () => {};
    expect(await suggestPasskeys(auth, new AbortController().signal)).toBe(true);
    expect(browser.log).toEqual(['get', 'get', 'get conditional']);
    server.routes['POST /auth/passkeys/login'] = () => problem('passkey_not_valid');
    await expect(signInWithPasskey(auth)).rejects.toMatchObject({ code: 'passkey_not_valid' });
  });

  test('waits for the autofill until the button is pressed, or the page ends it', async () => {
    browser.user = () => new Promise(() => {});
    const waits = suggestPasskeys(auth, new AbortController().signal);
    await vi.waitFor(() => expect(browser.log).toEqual(['get conditional']));
    browser.user = () => {};
    expect(await signInWithPasskey(auth)).toBe(true);
    expect(await waits).toBe(false);
    await expect(suggestPasskeys(auth, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  });
});

test('the button of the page answers a challenge that a passkey can answer', async () => {
  const challenge = { challenge: 'c'.repeat(43), methods: ['totp', 'passkey'], expiresIn: 300 };
  await passkeyButton(auth, new AuthError('second_factor_required', 401, '', challenge))?.();
  expect(server.log.at(-1)?.body).toMatchObject({ challenge: challenge.challenge, credential: { type: 'public-key' } });
  expect(auth.state.status).toBe('signed-in');
  const other = new AuthError('second_factor_required', 401, '', { ...challenge, methods: ['totp'] });
  expect(passkeyButton(auth, other)).toBeUndefined();
  expect(passkeyButton(auth, new AuthError('incorrect_credentials', 401, ''))).toBeUndefined();
});

test.each([
  ['with a passkey', 1, 'passkey', { credential: { type: 'public-key' } }],
  ['with the password of a user without passkeys', 0, 'password', { password: 'given' }],
])('the step-up of the page proves %s', async (_, passkeys, asked, proof) => {
  const askFor = vi.fn(async () => 'given' as string | undefined);
  const client = createStepUp(askFor);
  server.routes['GET /auth/mfa'] = () => ({ body: { totp: false, passkeys } });
  server.routes['POST /auth/reauthenticate'] = () => server.proves();
  server.routes['GET /payout'] = ({ jti }) => (Number(jti) > 1 ? { body: {} } : problem('reauthentication_required'));
  await client.login({ email: MANAGER, password: PASSWORD });
  expect((await client.fetch(`${StubAuthServer.URL}/payout`)).status).toBe(200);
  expect(askFor.mock.calls).toEqual([[asked, 'reauthentication_required.']]);
  expect(server.log.find(({ request }) => request.endsWith('/reauthenticate'))?.body).toMatchObject(proof);
  client.close();
});

test('the list of the page names disabled passkeys, and the button adds one', async () => {
  await auth.login({ email: MANAGER, password: PASSWORD });
  const passkeys = [PASSKEY, { ...PASSKEY, lastUsedAt: 'today' }, { ...PASSKEY, isDisabled: true }];
  server.routes['GET /auth/passkeys'] = () => ({ body: passkeys as never });
  const lines = ['Phone: last used never', 'Phone: last used today', 'Phone: disabled. Remove it.'];
  expect(await passkeyLines(auth)).toEqual(lines);
  expect(await addPasskey(auth, 'Phone')).toBe('Added: Phone');
  expect(server.log.at(-1)?.body).toMatchObject({ name: 'Phone', credential: { type: 'public-key' } });
  browser.user = throws('InvalidStateError');
  expect(await addPasskey(auth)).toBe('You have this passkey already.');
  browser.user = throws('NotAllowedError');
  expect(await addPasskey(auth)).toBe('');
  browser.user = throws('SecurityError');
  await expect(addPasskey(auth)).rejects.toMatchObject({ code: 'passkey_not_available' });
});

test('the table of methods has every method, with its requests', async () => {
  const sent: string[] = [];
  const client = server.newClient(memoryStore()).extend(({ request, call, refresh, state, reasonsToRepeat }) => {
    const record: typeof call = async (method, path) => {
      sent.push(`\`${method} ${decodeURIComponent(path)}\``);
      return (path.endsWith('registration/options') || path.endsWith('sign-up/options') ? CREATION : REQUEST) as never;
    };
    return passkeyMethods({ request, refresh, state, reasonsToRepeat, call: record });
  });
  const rows = rowsOf('passkeys-client', 'Methods');
  const names = rows.map(([method = '']) => /^`passkeys\.(\w+)\(/.exec(method)?.[1] ?? method);
  expect(names.sort()).toEqual(
    Object.keys(client.passkeys)
      .filter((name) => name !== 'isSupported')
      .sort(),
  );
  for (const [method = '', requests] of rows) {
    sent.splice(0);
    const name = /\.(\w+)\(/.exec(method)?.[1] ?? '';
    const methods = client.passkeys as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;
    await methods[name]?.(...(name === 'signIn' ? [] : [':id', 'name']));
    expect([name, sent.join(', ') || 'none']).toEqual([name, requests]);
  }
  client.close();
});

test('the table of codes has every refusal of the browser', () => {
  const source = readFileSync('src/client/passkey-dialog.ts', 'utf8');
  const [, union = ''] = /type PasskeyRefusal =([\s\S]*?';)\n/.exec(source) ?? [];
  const codes = [...union.matchAll(/\| '(\w+)'/g)].map(([, code]) => `\`${code}\``);
  expect(
    rowsOf('passkeys-client', 'Codes')
      .map(([code]) => code)
      .sort(),
  ).toEqual(codes.sort());
});

test.each([
  ['optional', false],
  ['optional', true],
  ['required', false],
] as const)(
  'under %s, a user with a passkey is asked as the table says (authenticator app: %s)',
  async (mode, hasApp) => {
    vi.unstubAllGlobals(); // this one has a real server
    const app = await createPasskeysApp({ mfaMode: mode });
    const person = await createPerson(app);
    const client = await sessionFor(app, person.id);
    const { authenticator } = await addTo(client);
    if (hasApp) {
      const { secret } = (await client.send('POST', '/auth/mfa/totp/setup', {}, client.bearer)).body;
      await client.send('POST', '/auth/mfa/totp/confirm', { code: totpCode(secret, app.clock.now()) }, client.bearer);
    }
    const { body } = await app.client().send('POST', '/auth/login', { email: person.email, password: PASSWORD });
    const isAsked = hasApp || mode === 'required';
    expect(body).toMatchObject(isAsked ? { code: 'second_factor_required' } : { access: expect.any(String) });
    const what = `a passkey${hasApp ? ' and an authenticator app' : ''}${mode === 'required' ? ', under `required`' : ''}`;
    const row = rowsOf('passkeys', 'Second factor and step-up').find(([has]) => has === what);
    expect(row?.[1]?.startsWith('challenge')).toBe(isAsked);
    const named = [...(row?.[1] ?? '').matchAll(/`(\w+)`/g)].map(([, method]) => method);
    expect(new Set(body.methods)).toEqual(new Set(named));

    const prove = (proof: object) => client.send('POST', '/auth/reauthenticate', proof, client.bearer);
    expect((await prove({ password: PASSWORD })).status).toBe(isAsked ? 401 : 200);
    const credential = authenticator.get(await requestOptions(client, {}, client.bearer));
    expect((await prove({ credential })).status).toBe(200);
    await app.close();
  },
);
