import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clientAddress, clientNetwork } from '../../src/sessions/client-network.js';
import { expectProblem } from '../support/expect-problem.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import { type Answer, PASSWORD } from '../support/test-client.js';

const WRONG = 'not the sentence that was chosen';
const BEHIND_PROXY: TestAppOptions = { express: 5, configure: (server) => server.set('trust proxy', true) };

/** A login that a proxy forwards for `ip`, as the proxy writes it. */
function login(app: TestApp, ip: string, email: string, password = WRONG): Promise<Answer> {
  return app.client().login(email, password, { 'x-forwarded-for': ip });
}

const warnings = ({ log }: TestApp) => log.filter(({ message }) => /no IP address/.test(message));

describe('the client address that a proxy forwards', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7', '203.0.113.7'],
    ['203.0.113.7:40001', '203.0.113.7', '203.0.113.7'],
    [' 203.0.113.7 ', '203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7:40001', '203.0.113.7', '203.0.113.7'],
    ['[::ffff:203.0.113.7]:40001', '203.0.113.7', '203.0.113.7'],
    ['2001:DB8:1:2::9', '2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['[2001:db8::1]:443', '2001:db8::1', '2001:db8:0:0::/64'],
    ['[2001:db8::1]', '2001:db8::1', '2001:db8:0:0::/64'],
    ['[2001:db8::1%eth0]:443', '2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80::1', 'fe80:0:0:0::/64'],
    ['fe80::1%25', 'fe80::1', 'fe80:0:0:0::/64'],
    ['2001:db8:1:2:3:4:5:6:40001', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ])('%s is the address %s of the network %s', (given, address, network) => {
    expect(clientAddress(given)).toBe(address);
    expect(clientNetwork(given)).toBe(network);
  });

  test.each([
    undefined,
    '',
    ' ',
    'unknown',
    '_hidden',
    ':443',
    '[]',
    '[]:443',
    '[203.0.113.7',
    '203.0.113.7]',
    '203.0.113.7:',
    '203.0.113.7:port',
    '203.0.113.7:400011',
    '203.0.113.7:1:2',
    '203.0.113.256',
    '203.0.113',
    '3405803783',
    '0xcb007107',
    '0313.0.0161.7',
    '2001:db8::1::2',
    '[2001:db8::1]x',
    '%eth0',
    `203.0.113.7${' '.repeat(200)}`,
    '203.0.113.7\u00006',
  ])('%j is not an address', (given) => {
    expect(clientAddress(given)).toBeUndefined();
    expect(clientNetwork(given)).toBeUndefined();
  });
});

describe('behind a gateway that writes ports', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({
      ...BEHIND_PROXY,
      settings: { loginRateLimit: '10/15m/account+ip,20/15m/ip', collectUserAgent: true },
    });
    await app.signedUp('ada@example.com');
  });
  beforeEach(() => app.database.pool.query('delete from auth_counter'));
  afterAll(() => app.close());

  test('ten wrong passwords from ten addresses do not lock the owner out', async () => {
    for (let index = 0; index < 10; index++) {
      expectProblem(await login(app, `203.0.113.${index}:40001`, 'ada@example.com'), 401, 'incorrect_credentials');
    }
    expect((await login(app, '198.51.100.1:5000', 'ada@example.com', PASSWORD)).status).toBe(200);
    expect(warnings(app)).toEqual([]);
  });

  test.each([
    ['an IPv4 address', (port: number) => `203.0.113.7:${port}`],
    ['an IPv6 address', (port: number) => `[2001:db8::1]:${port}`],
  ])('%s is counted over all its ports', async (_what, from) => {
    for (let port = 1000; port < 1010; port++) {
      expectProblem(await login(app, from(port), 'ada@example.com'), 401, 'incorrect_credentials');
    }
    expectProblem(await login(app, from(1011), 'ada@example.com', PASSWORD), 429, 'too_many_requests');
  });

  test('a session shows the address without its port', async () => {
    await app.database.pool.query('delete from auth_session');
    await login(app, '203.0.113.7:40001', 'ada@example.com', PASSWORD);
    await login(app, '[2001:db8::1]:443', 'ada@example.com', PASSWORD);
    const { rows } = await app.database.pool.query('select ip from auth_session order by ip');
    expect(rows).toEqual([{ ip: '2001:db8::1' }, { ip: '203.0.113.7' }]);
  });
});

describe('clients without an address', () => {
  test('share no counter of addresses, and one warning names the missing setting', async () => {
    const app = await createTestApp({
      ...BEHIND_PROXY,
      settings: { loginRateLimit: '3/15m/account+ip,5/15m/ip,100/1h/account' },
    });
    await app.signedUp('ada@example.com');
    for (let index = 0; index < 20; index++) {
      expectProblem(await login(app, 'unknown', 'ada@example.com'), 401, 'incorrect_credentials');
    }
    expect((await login(app, 'unknown', 'ada@example.com', PASSWORD)).status).toBe(200);
    expect((await login(app, 'x'.repeat(500), 'ada@example.com', PASSWORD)).status).toBe(200);
    expect(warnings(app)).toEqual([
      { level: 'warn', received: 'unknown', message: expect.stringContaining('trust proxy') },
    ]);
    await app.close();
  });

  test.each(['3/1h/account', '3/1h/account+ip'])(
    'still cannot guess without limit under %s',
    async (loginRateLimit) => {
      const app = await createTestApp({ ...BEHIND_PROXY, settings: { loginRateLimit } });
      await app.signedUp('ada@example.com');
      for (let index = 0; index < 3; index++) {
        expectProblem(await login(app, `unknown${index}`, 'ada@example.com'), 401, 'incorrect_credentials');
      }
      expectProblem(await login(app, 'unknown4', 'ada@example.com', PASSWORD), 429, 'too_many_requests');
      expect((await login(app, '203.0.113.7', 'grace@example.com')).status).toBe(401);
      await app.close();
    },
  );

  test('share no mail counter either, but a mailbox still has its limit', async () => {
    const app = await createTestApp({
      ...BEHIND_PROXY,
      settings: { publicUrl: 'http://accounts.test', mailRateLimit: '2/1h/account,3/1h/ip' },
    });
    const reset = (email: string) =>
      app.client().send('POST', '/auth/password/reset', { email }, { 'x-forwarded-for': '_gateway' });
    for (let index = 0; index < 6; index++) expect((await reset(`user${index}@example.com`)).status).toBe(202);
    expect((await reset('user0@example.com')).status).toBe(202);
    expectProblem(await reset('user0@example.com'), 429, 'too_many_requests');
    expect(warnings(app)).toHaveLength(1);
    await app.close();
  });
});
