import { afterEach, beforeEach, describe, expect, expectTypeOf, test, vi } from 'vitest';
import type { AuthClient } from '../../src/client/index.js';
import { passkeyMethods } from '../../src/client/passkeys.js';
import { stepUp } from '../../src/client/step-up.js';
import { memoryStore } from '../../src/client/store.js';
import { failure } from '../support/client-apps.js';
import { problem, StubAuthServer } from '../support/stub-auth-server.js';
import { type BrowserTraits, StubPasskeyBrowser } from '../support/stub-passkey-browser.js';

const RP_ID = 'app.example.com';
const USER = { id: 'dXNlcg', name: 'ada@example.com', displayName: 'ada@example.com' };
const REQUEST = { challenge: '-_8AAA', rpId: RP_ID, userVerification: 'required', timeout: 300_000 };
const CREATION = {
  challenge: '-_8BBB',
  rp: { id: RP_ID, name: 'Example' },
  user: USER,
  pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
  excludeCredentials: [{ type: 'public-key', id: '-_-_' }],
};
const PASSKEY = { id: 'p1', name: 'Phone', createdAt: 'x', lastUsedAt: null, isBackedUp: true, isDisabled: false };

let server: StubAuthServer;
let browser: StubPasskeyBrowser;
let client: ReturnType<typeof newClient>;
const store = () => ({ ...memoryStore(), isShared: true });
const newClient = (own = store()) => server.newClient(own).extend(passkeyMethods);

function start(traits: BrowserTraits = { isNew: true, hasAutofill: true }): void {
  browser?.close();
  browser = new StubPasskeyBrowser(StubAuthServer.URL, traits);
}

/** A passkey in the browser. */
const enrol = () => browser.authenticator.create({ ...CREATION, excludeCredentials: [] });

beforeEach(() => {
  start();
  server = new StubAuthServer();
  Object.assign(server.routes, {
    'POST /auth/passkeys/login/options': () => ({ body: REQUEST }),
    'POST /auth/passkeys/login': () => server.opens('7'),
    'POST /auth/passkeys/registration/options': () => ({ body: CREATION }),
    'POST /auth/passkeys/registration': () => ({ status: 201, body: PASSKEY }),
    'POST /auth/passkeys/sign-up/options': () => ({ body: CREATION }),
    'POST /auth/passkeys/sign-up': () => server.opens('8'),
  });
  client = newClient();
});
afterEach(() => {
  server.close();
  browser.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** The client data of the credential that was sent last. */
function clientData(): unknown {
  const body = server.log.at(-1)?.body as { credential: { response: { clientDataJSON: string } } } | undefined;
  return JSON.parse(atob(body?.credential.response.clientDataJSON ?? ''));
}

const sent = () => server.log.map(({ request, body }) => [request.replace('/auth/passkeys', ''), body]);

describe.each([
  ['a browser that converts JSON itself', true],
  ['an older browser', false],
])('in %s', (_, isNew) => {
  beforeEach(() => start({ isNew, hasAutofill: true }));

  test('a sign-in sends what the browser returns, and signs in in every tab', async () => {
    const { id } = enrol();
    const shared = store();
    const [own, other] = [newClient(shared), newClient(shared)];
    expect(await own.passkeys.signIn()).toBeUndefined();
    expect(own.state).toMatchObject({ status: 'signed-in', claims: { sub: '7' } });
    await vi.waitFor(() => expect(other.state).toEqual(own.state));
    expect(browser.log).toEqual(['get']);
    const credential = {
      id,
      rawId: id,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {},
      response: {
        clientDataJSON: expect.stringMatching(/^[\w-]+$/),
        authenticatorData: expect.stringMatching(/^[\w-]+$/),
        signature: expect.stringMatching(/^[\w-]+$/),
        userHandle: USER.id,
      },
    };
    expect(sent()).toEqual([
      ['POST /login/options', {}],
      ['POST /login', { credential }],
    ]);
    expect(clientData()).toMatchObject({ type: 'webauthn.get', challenge: REQUEST.challenge });
  });

  test('a registration sends what the browser returns', async () => {
    await client.login({ email: 'ada@example.com', password: 'x' });
    expect(await client.passkeys.add('Phone')).toEqual(PASSKEY);
    const [{ id } = { id: '' }] = browser.authenticator.passkeys;
    const credential = {
      id,
      rawId: id,
      type: 'public-key',
      authenticatorAttachment: 'platform',
      clientExtensionResults: {},
      response: expect.objectContaining({
        clientDataJSON: expect.stringMatching(/^[\w-]+$/),
        attestationObject: expect.stringMatching(/^[\w-]+$/),
        transports: ['internal', 'hybrid'],
        ...(isNew && { publicKeyAlgorithm: -7 }), // only from the browser's own conversion
      }),
    };
    expect(sent().slice(1)).toEqual([
      ['POST /registration/options', ''],
      ['POST /registration', { credential, name: 'Phone' }],
    ]);
    expect(server.requests.slice(1)).toEqual([
      'POST /auth/passkeys/registration/options 1',
      'POST /auth/passkeys/registration 1',
    ]);
  });

  test('the browser gets all members of the options, and bytes for the base64url', async () => {
    const allowCredentials = [{ type: 'public-key', id: '-_-_', transports: ['usb'] }];
    browser.user = () => Promise.reject(new DOMException('', 'NotAllowedError'));
    server.routes['POST /auth/passkeys/login/options'] = () => ({ body: { ...REQUEST, allowCredentials } });
    await failure(client.passkeys.signIn());
    const request = browser.options;
    await failure(client.passkeys.signUp({ email: 'ada@example.com' }));
    const bytes = (...values: number[]) => (isNew ? expect.any(String) : new Uint8Array(values));
    expect(request).toEqual({
      ...REQUEST,
      ...(isNew && { isParsed: true }),
      challenge: bytes(0xfb, 0xff, 0, 0),
      allowCredentials: [{ type: 'public-key', id: bytes(0xfb, 0xff, 0xbf), transports: ['usb'] }],
    });
    expect(browser.options).toEqual({
      ...CREATION,
      ...(isNew && { isParsed: true }),
      challenge: bytes(0xfb, 0xff, 1, 4),
      user: { ...USER, id: bytes(0x75, 0x73, 0x65, 0x72) },
      excludeCredentials: [{ type: 'public-key', id: bytes(0xfb, 0xff, 0xbf) }],
    });
  });
});

test.each([
  ['has no toJSON', undefined],
  [
    'has a toJSON that throws',
    () => {
      throw new TypeError('Illegal invocation');
    },
  ],
])('a credential of a password manager that %s is sent as well', async (_, toJSON) => {
  const { id } = enrol();
  browser.wrap = (credential) => ({ ...credential, toJSON, authenticatorAttachment: null });
  await client.passkeys.signIn();
  expect(server.log[1]?.body).toEqual({
    credential: {
      id,
      rawId: id,
      type: 'public-key',
      clientExtensionResults: {},
      response: {
        clientDataJSON: expect.any(String),
        authenticatorData: expect.any(String),
        signature: expect.any(String),
        userHandle: USER.id,
      },
    },
  });
});

describe('the other dialogs', () => {
  test('answer a challenge with a passkey of its user', async () => {
    const { id } = enrol();
    expect(await client.passkeys.answer('c'.repeat(43))).toBeUndefined();
    expect(client.state).toMatchObject({ claims: { sub: '7' } });
    expect(sent()).toEqual([
      ['POST /login/options', { challenge: 'c'.repeat(43) }],
      ['POST /login', { challenge: 'c'.repeat(43), credential: expect.objectContaining({ id }) }],
    ]);
  });

  test('prove who the signed-in user is, also as the answer to a step-up', async () => {
    const { id } = enrol();
    const asking = client.extend(
      stepUp(async (_, auth) => {
        await auth.reauthenticate({ credential: await client.passkeys.prove() });
        return true;
      }),
    );
    await asking.login({ email: 'ada@example.com', password: 'x' });
    server.routes['POST /auth/reauthenticate'] = () => server.proves();
    server.routes['DELETE /auth/passkeys/p1'] = ({ jti }) =>
      jti === '1' ? problem('reauthentication_required') : { status: 204 };
    expect(await asking.passkeys.remove('p1')).toBeUndefined();
    expect(server.requests.slice(1)).toEqual([
      'DELETE /auth/passkeys/p1 1',
      'POST /auth/passkeys/login/options 1',
      'POST /auth/reauthenticate 1',
      'DELETE /auth/passkeys/p1 2',
    ]);
    expect(server.log[3]?.body).toEqual({ credential: expect.objectContaining({ id, type: 'public-key' }) });
  });

  test('sign up, with the fields of the app', async () => {
    const account = { email: 'ada@example.com', firstName: 'Ada', plan: 'free' };
    expect(await client.passkeys.signUp(account)).toBe('signed-in');
    expect(client.state).toMatchObject({ claims: { sub: '8' } });
    const [{ id } = { id: '' }] = browser.authenticator.passkeys;
    expect(sent()).toEqual([
      ['POST /sign-up/options', account],
      ['POST /sign-up', { ...account, credential: expect.objectContaining({ id }) }],
    ]);
    server.routes['POST /auth/passkeys/sign-up'] = () => ({ status: 201, body: { detail: 'A mail was sent.' } });
    const { state } = client;
    expect(await client.passkeys.signUp(account)).toBe('confirmation-mailed');
    expect(client.state).toBe(state);
  });

  test('do not open for a list, a new name and a removal', async () => {
    await client.login({ email: 'ada@example.com', password: 'x' });
    server.routes['GET /auth/passkeys'] = () => ({ body: [PASSKEY] });
    server.routes['PATCH /auth/passkeys/p1'] = () => ({ body: { ...PASSKEY, name: 'Key' } });
    server.routes['DELETE /auth/passkeys/p1'] = () => ({ status: 204 });
    expect(await client.passkeys.list()).toEqual([PASSKEY]);
    expect(await client.passkeys.rename('p1', 'Key')).toEqual({ ...PASSKEY, name: 'Key' });
    expect(await client.passkeys.remove('p1')).toBeUndefined();
    expect(server.requests.slice(1)).toEqual([
      'GET /auth/passkeys 1',
      'PATCH /auth/passkeys/p1 1',
      'DELETE /auth/passkeys/p1 1',
    ]);
    expect([server.log[2]?.body, browser.log]).toEqual([{ name: 'Key' }, []]);
  });
});

const MESSAGES: Record<string, string> = {
  passkey_cancelled: 'No passkey was used.',
  passkey_already_registered: 'You have this passkey already.',
  passkey_not_available: 'Passkeys do not work in this browser or on this page.',
};

describe('a refusal', () => {
  test.each([
    ['NotAllowedError', 'passkey_cancelled'],
    ['AbortError', 'passkey_cancelled'],
    ['InvalidStateError', 'passkey_already_registered'],
    ['SecurityError', 'passkey_not_available'],
    ['NotSupportedError', 'passkey_not_available'],
    ['UnknownError', 'passkey_not_available'],
  ])('of the browser with %s has the code %s, and the server gets nothing', async (name, code) => {
    const cause = new DOMException('', name);
    browser.user = () => {
      throw cause;
    };
    for (const dialog of [
      () => client.passkeys.signIn(),
      () => client.passkeys.signIn({ autofill: true }),
      () => client.passkeys.answer('c'),
      () => client.passkeys.signUp({ email: 'ada@example.com' }),
    ]) {
      const error = await failure(dialog());
      expect(error).toMatchObject({ name: 'AuthError', code, status: 400, isTemporary: false, cause });
      expect(error.message).toBe(MESSAGES[code]);
    }
    expect(sent().map(([request]) => request)).toEqual([
      'POST /login/options',
      'POST /login/options',
      'POST /login/options',
      'POST /sign-up/options',
    ]);
    expect(client.state.status).toBe('unknown');
  });

  test('of a browser that returns no credential has the code passkey_not_available', async () => {
    enrol();
    browser.wrap = () => null;
    expect(await failure(client.passkeys.signIn())).toMatchObject({ code: 'passkey_not_available' });
  });

  test('of the server is the error of the method', async () => {
    enrol();
    server.routes['POST /auth/passkeys/login'] = () => problem('passkey_not_valid');
    expect(await failure(client.passkeys.signIn())).toMatchObject({ code: 'passkey_not_valid', status: 401 });
    server.routes['POST /auth/passkeys/login/options'] = () => ({ status: 502, body: 'oops' });
    expect(await failure(client.passkeys.signIn())).toMatchObject({ code: 'unexpected_answer', isTemporary: true });
    expect(browser.log).toEqual(['get']);
  });

  test('in a browser without passkeys comes before any request', async () => {
    browser.close();
    expect([client.passkeys.isSupported, await client.passkeys.isAutofillSupported()]).toEqual([false, false]);
    for (const dialog of [
      () => client.passkeys.signIn(),
      () => client.passkeys.signIn({ autofill: true }),
      () => client.passkeys.add(),
      () => client.passkeys.signUp({ email: 'ada@example.com' }),
    ])
      expect(await failure(dialog())).toMatchObject({ code: 'passkey_not_available', status: 400, cause: undefined });
    expect(server.log).toEqual([]);
  });
});

describe('autofill', () => {
  /** The user picks a passkey when this is called. */
  let pick: () => void;
  beforeEach(() => {
    enrol();
    browser.user = () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      pick = resolve;
      return promise;
    };
  });
  const requests = (count: number) => vi.waitFor(() => expect(browser.log).toHaveLength(count));

  test.each([
    [{ isNew: true, hasAutofill: true }, true],
    [{ isNew: true, hasAutofill: false }, false],
    [{ isNew: false }, false],
  ])('is not asked for in a browser without it, which would open a dialog: %j', async (traits, isSupported) => {
    start(traits);
    expect([client.passkeys.isSupported, await client.passkeys.isAutofillSupported()]).toEqual([true, isSupported]);
    if (isSupported) return;
    const error = await failure(client.passkeys.signIn({ autofill: true }));
    expect(error.code).toBe('passkey_not_available');
    expect([browser.log, server.log]).toEqual([[], []]);
  });

  test('signs in when the user picks a passkey', async () => {
    const signedIn = client.passkeys.signIn({ autofill: true });
    await requests(1);
    expect(browser.log).toEqual(['get conditional']);
    pick();
    await signedIn;
    expect(client.state).toMatchObject({ status: 'signed-in', claims: { sub: '7' } });
  });

  test('ends with the reason of its signal, also before it begins', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const ended = failure(client.passkeys.signIn({ autofill: true, signal }));
    await requests(1);
    const reason = new Error('the page was left');
    controller.abort(reason);
    expect(await ended).toBe(reason);
    expect(await failure(client.passkeys.signIn({ autofill: true, signal }))).toBe(reason);
    expect(await failure(client.passkeys.signIn({ signal }))).toBe(reason);
    expect(server.requests).not.toContain('POST /auth/passkeys/login');
  });

  test('is not ended by its signal once the user has picked a passkey', async () => {
    const controller = new AbortController();
    server.routes['POST /auth/passkeys/login'] = () => {
      controller.abort();
      return server.opens('7');
    };
    const signedIn = client.passkeys.signIn({ autofill: true, signal: controller.signal });
    await requests(1);
    pick();
    expect(await signedIn).toBeUndefined();
  });

  test('is ended by a dialog, and by another page that begins it', async () => {
    const first = failure(client.passkeys.signIn({ autofill: true }));
    await requests(1);
    const second = failure(client.passkeys.signIn({ autofill: true }));
    expect(await first).toMatchObject({ code: 'passkey_cancelled' });
    await requests(2);
    const third = client.passkeys.signIn();
    expect(await second).toMatchObject({ code: 'passkey_cancelled' });
    await requests(3);
    pick();
    await third;
    expect(browser.log).toEqual(['get conditional', 'get conditional', 'get']);
    expect(server.requests.filter((each) => each === 'POST /auth/passkeys/login')).toHaveLength(1);
  });

  test('is ended by a dialog also while its options are requested', async () => {
    const first = failure(client.passkeys.signIn({ autofill: true }));
    const second = client.passkeys.signIn();
    expect(await first).toMatchObject({ code: 'passkey_cancelled' });
    await requests(1);
    pick();
    await second;
    expect(browser.log).toEqual(['get']);
  });

  describe('on a page that stays open', () => {
    const document = Object.assign(new EventTarget(), { hidden: false });
    let count: number;
    let isOffline: boolean;
    beforeEach(() => {
      count = 0;
      isOffline = false;
      document.hidden = false;
      vi.stubGlobal('document', document);
      server.routes['POST /auth/passkeys/login/options'] = () => {
        if (isOffline) throw new TypeError('offline');
        return { body: { ...REQUEST, challenge: `AAA${count++}` } };
      };
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    });
    const advance = async (seconds: number) => {
      await vi.advanceTimersByTimeAsync(seconds * 1000);
      await vi.advanceTimersByTimeAsync(0);
    };
    const begin = async () => {
      const signedIn = client.passkeys.signIn({ autofill: true });
      signedIn.catch(() => undefined);
      await vi.waitUntil(() => browser.log.length === 1);
      return { signedIn };
    };

    test('gets a new challenge before the old one expires, again and again', async () => {
      const { signedIn } = await begin();
      await advance(239);
      expect(browser.log).toHaveLength(1);
      for (const round of [2, 3, 4]) {
        await advance(round === 2 ? 1 : 240);
        expect([browser.log.length, browser.options['challenge']]).toEqual([round, `AAA${round - 1}`]);
      }
      pick();
      await signedIn;
      expect(clientData()).toMatchObject({ challenge: 'AAA3' });
      await advance(900);
      expect(count).toBe(4);
    });

    test('requests no challenge while the page is hidden, and one at once when it is shown', async () => {
      await begin();
      document.hidden = true;
      await advance(900);
      expect(count).toBe(1);
      document.dispatchEvent(new Event('visibilitychange'));
      await advance(0);
      expect(count).toBe(1);
      document.hidden = false;
      document.dispatchEvent(new Event('visibilitychange'));
      await advance(0);
      expect([count, browser.log.length]).toEqual([2, 2]);
    });

    test('keeps the old request while the server cannot be reached, and tries again', async () => {
      const { signedIn } = await begin();
      isOffline = true;
      await advance(265);
      expect([browser.log.length, server.log.length]).toEqual([1, 4]); // after 240, 250 and 260 seconds
      isOffline = false;
      await advance(5);
      expect([browser.log.length, browser.options['challenge']]).toEqual([2, 'AAA1']);
      pick();
      await signedIn;
    });

    test('asks for none after the sign-in', async () => {
      const { signedIn } = await begin();
      document.hidden = true;
      await advance(240);
      pick();
      await signedIn;
      document.hidden = false;
      document.dispatchEvent(new Event('visibilitychange'));
      await advance(900);
      expect([count, browser.log.length]).toEqual([1, 1]);
    });

    test('stops when it is ended', async () => {
      const controller = new AbortController();
      const ended = failure(client.passkeys.signIn({ autofill: true, signal: controller.signal }));
      await vi.waitUntil(() => browser.log.length === 1);
      document.hidden = true;
      await advance(240);
      controller.abort();
      await ended;
      document.hidden = false;
      document.dispatchEvent(new Event('visibilitychange'));
      await advance(900);
      expect([count, browser.log.length]).toEqual([1, 1]);
    });
  });
});

test('a client without the methods of the module does not have them in its types', () => {
  expectTypeOf<AuthClient>().not.toHaveProperty('passkeys');
  expectTypeOf(client).toExtend<AuthClient>();
});
