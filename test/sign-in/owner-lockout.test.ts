import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LoginLimiter } from '../../src/sign-in/login-limiter.js';
import { PasswordHasher } from '../../src/users/password-hasher.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';
import { until } from '../support/until.js';

// A simulated day. A botnet guesses the passwords of two accounts in every quarter of an hour, before their owners act.
// The test measures in how many quarters an owner was locked out, by position.
const HOURS = 24;
const QUARTERS = 4 * HOURS;
const BOTS = 1000;
/** Guesses for each account in the first quarter of an hour, when the count restarts, and in each later one. */
const [FIRST, LATER] = [110, 5];
const ADA = 'ada@example.com';
const CAROL = 'carol@example.com';
const HOME = '198.51.100.1';
/** Ada has a session here as well. One bot is in this network. */
const OFFICE = '198.51.100.2';

/** The real limits, without the delay before a refusal. */
class PromptLimiter extends LoginLimiter {
  protected override readonly refusalMilliseconds = 0;
}

/** The number of checks of each password. */
const looks = new Map<string, number>();

/** A hash that costs nothing: the botnet tries thousands of passwords. */
class CheapHasher extends PasswordHasher {
  override async hash(password: string): Promise<string> {
    return `cheap$${createHash('sha256').update(password).digest('hex')}`;
  }
  override async verify(passwordHash: string | null | undefined, password: string): Promise<boolean> {
    looks.set(password, (looks.get(password) ?? 0) + 1);
    return passwordHash === (await this.hash(password));
  }
  override isOutdated(): boolean {
    return false;
  }
}

let app: MailApp;
let bots = 0;
/** Ada's session, which moves with her between networks. */
let ada: TestClient;
/** In how many quarters an owner tried to act, and was locked out, by position. */
const figures: Record<string, { tried: number; shutOut: number }> = {};
/** The answers that lock an owner out. */
const refusals = new Set<string>();
/** The botnet's guesses whose password was checked, by account, for each hour. */
const guessed: Record<string, number[]> = { [ADA]: [], [CAROL]: [] };

const from = (ip: string) => ({ 'x-forwarded-for': ip });
const login = (email: string, ip: string, password: string) => app.client().login(email, password, from(ip));

async function signUp(email: string, ip: string): Promise<TestClient> {
  const client = app.client();
  const answer = await client.send('POST', '/auth/registration', { email, password: PASSWORD }, from(ip));
  expect(answer.status).toBe(201);
  return keep(client, answer);
}

function keep(client: TestClient, answer: Answer): TestClient {
  return Object.assign(client, { access: answer.body.access, refreshToken: answer.cookie?.value });
}

/** Guesses of the next bots, or of the given one. Adds the checked passwords to those of the hour. */
async function guess(email: string, count: number, hour: number, ip?: string): Promise<void> {
  const password = `a guess for ${email}`;
  const before = looks.get(password) ?? 0;
  const guesses = Array.from({ length: count }, () => {
    const bot = bots++ % BOTS;
    return login(email, ip ?? `203.0.${bot >> 8}.${bot & 255}`, password);
  });
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  expect(statuses.filter((status) => status !== 401 && status !== 429)).toEqual([]);
  const hours = guessed[email] ?? [];
  hours[hour] = (hours[hour] ?? 0) + (looks.get(password) ?? 0) - before;
}

/** Counts the quarter as locked out, unless the answer shows that the owner can act. */
function note(position: string, expected: number, { status, body }: Answer): void {
  const isShutOut = status !== expected;
  const { tried, shutOut } = figures[position] ?? { tried: 0, shutOut: 0 };
  figures[position] = { tried: tried + 1, shutOut: shutOut + (isShutOut ? 1 : 0) };
  if (isShutOut) refusals.add(`${position}: ${status} ${body.code}`);
}

/** Ada acts in her session, from a network that was never used before. */
async function actSignedIn(quarter: number): Promise<void> {
  const ip = from(`192.0.2.${quarter}`);
  const refreshed = await ada.send('POST', '/auth/refresh', undefined, { ...ada.cookieHeader, ...ip });
  note('signed in, refresh', 200, refreshed);
  const headers = { ...keep(ada, refreshed).bearer, ...ip };
  const body = { email: `ada-${quarter}@example.com`, password: PASSWORD };
  note('signed in, address change', 202, await ada.send('POST', '/auth/email/change', body, headers));
  // A row of the app keeps the account: the answer to the correct password is 409.
  note('signed in, deletion', 409, await ada.send('DELETE', '/auth/user', { password: PASSWORD }, headers));
}

/** Once an hour, Carol resets her password at a new network, signs in there, and changes it at the next new one. */
async function reset(quarter: number): Promise<void> {
  const ip = from(`192.0.2.${quarter + QUARTERS}`);
  const links = () =>
    app.sink.mails
      .filter((mail) => [mail.to].flat().some((to) => to?.text === CAROL))
      .flatMap((mail) => mail.text?.match(/http:\/\/accounts\.test\/\S*reset\S*/)?.[0] ?? []);
  const before = links().length;
  const asked = await app.client().send('POST', '/auth/password/reset', { email: CAROL }, ip);
  await until(() => links().length > before);
  const opened = await app.open(links().at(-1) ?? '', { headers: ip });
  const cookie = [...opened.cookies.values()].find((each) => each.includes('password_reset'))?.split(';')[0] ?? '';
  const newPassword = `${PASSWORD} ${quarter}`;
  const done = await app.client().send('POST', '/auth/password/reset/set-new', { newPassword }, { cookie, ...ip });
  expect([asked.status, done.status]).toEqual([202, 200]);
  const carol = app.client();
  note('after a reset, where it was made', 200, await carol.login(CAROL, newPassword, ip));
  note('after a reset, elsewhere', 200, await login(CAROL, HOME, newPassword));
  const change = { oldPassword: newPassword, newPassword: `${newPassword} again` };
  const headers = { ...carol.bearer, ...from(`198.51.100.${quarter + 10}`) };
  note('signed in, password change', 200, await carol.send('POST', '/auth/password/change', change, headers));
}

/** Ada signs in at home, at a network that was never used before, and at the office. */
async function signIn(quarter: number): Promise<void> {
  await login(ADA, HOME, 'a slip of the fingers');
  note('home', 200, await login(ADA, HOME, PASSWORD));
  note('new network', 200, await login(ADA, `192.0.2.${quarter}`, PASSWORD));
  await guess(ADA, 12, Math.floor(quarter / 4), OFFICE);
  note('known network with a bot in it', 200, await login(ADA, OFFICE, PASSWORD));
}

async function passQuarter(quarter: number): Promise<void> {
  const isFirst = quarter % 4 === 0;
  await Promise.all([ADA, CAROL].map((email) => guess(email, isFirst ? FIRST : LATER, Math.floor(quarter / 4))));
  await Promise.all([signIn, actSignedIn, ...(isFirst ? [reset] : [])].map((act) => act(quarter)));
}

beforeAll(async () => {
  const settings = {
    loginRateLimit: '10/15m/account+ip,100/15m/ip,100/1h/account',
    emailVerification: 'optional',
  } as const;
  app = await createMailApp(settings, {
    express: 5,
    configure: (server) => server.set('trust proxy', true),
    auth: { services: [PromptLimiter, CheapHasher] },
  });
  ada = await signUp(ADA, HOME);
  await signUp(CAROL, HOME);
  expect((await login(ADA, OFFICE, PASSWORD)).status).toBe(200);
  await app.database.pool.query('create table invoice (owner uuid references app_user)');
  await app.database.pool.query('insert into invoice select id from app_user where email = $1', [ADA]);
  for (let quarter = 0; quarter < QUARTERS; quarter++) {
    await passQuarter(quarter);
    app.clock.advance(15 * 60);
  }
}, 120_000);
afterAll(() => app.close());

test('all 1,000 addresses guess all day, and 100 passwords an hour are checked for an account', () => {
  expect(bots).toBeGreaterThan(5 * BOTS);
  const eachHour = (count: number) => Array(HOURS).fill(count);
  // A bot in a known network uses the separate counter of that network: ten in each quarter.
  expect(guessed).toEqual({ [ADA]: eachHour(140), [CAROL]: eachHour(100) });
});

test.each([
  ['home', QUARTERS],
  ['signed in, refresh', QUARTERS],
  ['signed in, address change', QUARTERS],
  ['signed in, deletion', QUARTERS],
  ['signed in, password change', HOURS],
  ['after a reset, where it was made', HOURS],
])('the owner is never locked out: %s', (position, tried) => {
  expect(figures[position]).toEqual({ tried, shutOut: 0 });
});

test.each([
  ['new network', QUARTERS],
  // A new password makes all other networks unknown.
  ['after a reset, elsewhere', HOURS],
  ['known network with a bot in it', QUARTERS],
])('the owner is locked out while the botnet is active: %s', (position, tried) => {
  expect(figures[position]).toEqual({ tried, shutOut: tried });
  expect([...refusals]).toContain(`${position}: 429 too_many_requests`);
});

test('at a new network the owner is locked out for at most an hour after the last guess', async () => {
  await guess(ADA, FIRST, HOURS);
  const refused = await login(ADA, '192.0.2.250', PASSWORD);
  expect([refused.status, refused.body.code]).toEqual([429, 'too_many_requests']);
  const retryAfter = Number(refused.headers.get('retry-after'));
  expect(retryAfter).toBeLessThanOrEqual(3600);
  app.clock.advance(retryAfter);
  expect((await login(ADA, '192.0.2.250', PASSWORD)).status).toBe(200);
});
