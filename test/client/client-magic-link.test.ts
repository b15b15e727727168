import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AuthClient } from '../../src/client/index.js';
import { magicLinkMethods } from '../../src/client/magic-link.js';
import { memoryStore } from '../../src/client/store.js';
import { mfaMethods } from '../../src/features/totp/totp.client.js';
import { failure } from '../support/client-apps.js';
import { ClientNetwork } from '../support/client-network.js';
import { createMagicLinkApp, type MagicLinkApp, mailedTo, wrong } from '../support/magic-link-app.js';
import { createPerson, type Person } from '../support/person.js';
import { enrol } from '../support/totp-app.js';

describe.each([
  ['cookies', true],
  ['bodies', false],
])('a client of a server with magic links and refresh tokens in %s', (_, refreshTokenAsCookie) => {
  let app: MagicLinkApp;
  let person: Person;
  let network: ClientNetwork;
  const newClient = () => {
    const store = refreshTokenAsCookie ? undefined : memoryStore();
    const options = { url: `${app.url}/auth`, fetch: network.fetch, ...(store && { store }) };
    return new AuthClient<{ sub: string; amr: string[] }>(options).extend(magicLinkMethods).extend(mfaMethods);
  };
  let client: ReturnType<typeof newClient>;
  beforeEach(async () => {
    app = await createMagicLinkApp({ refreshTokenAsCookie });
    network = new ClientNetwork();
    client = newClient();
    person = await createPerson(app);
  });
  afterEach(async () => {
    client.close();
    await app.close();
  });
  const state = () => (client.state.status === 'signed-in' ? client.state.claims : client.state.status);

  test('signs in with the code, and stays signed in', async () => {
    const { request } = await client.magicLink(person.email);
    const { code } = await mailedTo(app, person.email);
    const refused = await failure(client.signInByCode({ request, code: wrong(code) }));
    expect([refused.code, refused.status, state()]).toEqual(['code_not_valid', 401, 'unknown']);
    await client.signInByCode({ request, code });
    expect(state()).toMatchObject({ sub: person.id, amr: ['mail'] });
    await client.refresh();
    expect(state()).toMatchObject({ sub: person.id, amr: ['mail'] });
  });

  test('signs in with a link that was opened in the browser', async () => {
    await client.magicLink(person.email);
    const { link } = await mailedTo(app, person.email);
    expect(await failure(client.signInByLink())).toMatchObject({ code: 'token_not_valid', status: 401 });
    const [name = '', value = ''] = (await app.cookieOf(link)).split('=');
    network.cookies.set(name, value); // the link was opened in another tab
    await client.signInByLink();
    expect(state()).toMatchObject({ sub: person.id });
    expect(network.cookies.has(name)).toBe(false);
  });

  test('answers the challenge of a user with a second factor', async () => {
    const { access } = await app.auth.sessions.open({ id: person.id });
    const { next } = await enrol(app, Object.assign(app.client(), { access }));
    await app.mailsTo(person.email); // the notice
    const { request } = await client.magicLink(person.email);
    const { code } = await mailedTo(app, person.email, 2);
    const { challenge = '', methods } = await failure(client.signInByCode({ request, code }));
    expect([methods, state()]).toEqual([['totp', 'recovery_code'], 'unknown']);
    await client.mfa.verify({ challenge, code: next() });
    expect(state()).toMatchObject({ sub: person.id, amr: ['mail', 'otp', 'mfa'] });
  });
});

describe('finishLink, on the page that the built-in page leads to', () => {
  const client = new AuthClient({ url: 'https://app.example.com/auth' }).extend(magicLinkMethods);
  const replaced: unknown[][] = [];
  beforeEach(() => {
    replaced.splice(0);
    vi.stubGlobal('history', { state: 'kept', replaceState: (...args: unknown[]) => replaced.push(args) });
  });
  afterEach(() => vi.unstubAllGlobals());
  const open = (added: string) => {
    vi.stubGlobal('location', { href: `https://app.example.com/welcome?tab=2${added}` });
    return client.finishLink();
  };

  test('rejects with the challenge of the fragment, and removes it', async () => {
    const members = { challenge: 'c', methods: 'totp,recovery_code', expires_in: '300' };
    const fragment = new URLSearchParams({ error: 'second_factor_required', status: '401', ...members });
    const { code, status, challenge, methods, expiresIn } = await failure(open(`#${fragment}`));
    expect({ code, status, challenge, methods, expiresIn }).toEqual({
      code: 'second_factor_required',
      status: 401,
      challenge: 'c',
      methods: ['totp', 'recovery_code'],
      expiresIn: 300,
    });
    expect(replaced).toEqual([['kept', '', 'https://app.example.com/welcome?tab=2']]);
  });

  test.each(['', '#section', '&error=of_the_app'])('does nothing without a challenge: %j', async (added) => {
    expect([await open(added), replaced]).toEqual([undefined, []]);
  });
});
