import { hash } from '@node-rs/argon2';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Credentials } from '../../../src/features/password/login.service.js';
import { LoginService } from '../../../src/index.js';
import { countingHasher } from '../../support/counting-hasher.js';
import { expectProblem } from '../../support/expect-problem.js';
import { secrets } from '../../support/secrets.js';
import { createTestApp, type TestApp } from '../../support/test-app.js';
import { type Answer, PASSWORD } from '../../support/test-client.js';

const WRONG = 'not the sentence that was chosen';

describe('login', () => {
  const { CountingHasher, counts } = countingHasher();
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ auth: { services: [CountingHasher] } });
    await app.signedUp('ada@example.com');
  });
  afterAll(() => app.close());

  const sessionsOf = async (email: string) =>
    (
      await app.database.pool.query(
        'select s.* from auth_session s join app_user u on u.id = s.user_id where u.email = $1 order by s.created_at',
        [email],
      )
    ).rows;
  const hashOf = async (email: string) =>
    (await app.database.pool.query('select password_hash from app_user where email = $1', [email])).rows[0]
      .password_hash;
  const setUser = (email: string, assignment: string, value: unknown) =>
    app.database.pool.query(`update app_user set ${assignment} = $2 where email = $1`, [email, value]);
  const comparable = ({ status, body, headers }: Answer) => ({
    status,
    body,
    headers: Object.fromEntries([...headers].filter(([name]) => name !== 'date')),
  });

  test('answers with an access token and the refresh cookie', async () => {
    const client = app.client();
    const answer = await client.login('ada@example.com');
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ access: client.access });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.getSetCookie()).toHaveLength(1);
    expect(answer.cookie?.name).toBe('refresh_token');
    const { session, sub } = app.auth.tokens.verifyAccess(client.access);
    const refresh = app.auth.tokens.verifyRefresh(client.refreshToken);
    expect(refresh).toMatchObject({ session, sub });
    expect((await sessionsOf('ada@example.com')).find(({ id }) => id === session)).toMatchObject({
      user_id: sub,
      jti: refresh.jti,
      enabled: true,
    });
  });

  test('each login opens its own session', async () => {
    await app.signedUp('many@example.com');
    const clients = [app.client(), app.client(), app.client()];
    for (const client of clients) expect((await client.login('many@example.com')).status).toBe(200);
    const sessions = clients.map((client) => app.auth.tokens.verifyAccess(client.access).session);
    expect(new Set(sessions).size).toBe(3);
    expect(await sessionsOf('many@example.com')).toHaveLength(4);
    for (const client of clients) expect((await client.refresh()).status).toBe(200);
    expect((await sessionsOf('many@example.com')).filter(({ enabled }) => enabled)).toHaveLength(4);
  });

  test.each([
    ['in capitals', 'ADA@EXAMPLE.COM'],
    ['with spaces around it', '  ada@example.com\t'],
    ['in mixed case', 'Ada@Example.Com'],
  ])('the address can be written %s', async (_how, email) => {
    expect((await app.client().login(email)).status).toBe(200);
  });

  test('a wrong password and an unknown address get the same answer, after the same work', async () => {
    const sessions = await app.sessions();
    const before = { ...counts };
    const wrong = await app.client().login('ada@example.com', WRONG);
    expect(counts).toEqual({ ...before, checks: before.checks + 1 });
    const unknown = await app.client().login('nobody@example.com', WRONG);
    expect(counts).toMatchObject({ checks: before.checks + 2, checksWithoutHash: before.checksWithoutHash + 1 });
    expectProblem(wrong, 401, 'incorrect_credentials');
    expect(comparable(unknown)).toEqual(comparable(wrong));
    expect(wrong.headers.get('www-authenticate')).toBe('Bearer');
    expect(wrong.cookie).toBeUndefined();
    expect(await app.sessions()).toEqual(sessions);
  });

  test('only the right password reveals that an account is inactive', async () => {
    await app.signedUp('inactive@example.com');
    await setUser('inactive@example.com', 'is_active', false);
    const sessions = await app.sessions();
    const wrong = await app.client().login('inactive@example.com', WRONG);
    const unknown = await app.client().login('nobody@example.com', WRONG);
    expect(comparable(wrong)).toEqual(comparable(unknown));
    const right = await app.client().login('inactive@example.com');
    expectProblem(right, 401, 'no_active_account');
    expect(right.cookie).toBeUndefined();
    expect(await app.sessions()).toEqual(sessions);
  });

  test.each(['', 'no such user', PASSWORD, 'null'])('a user without a hash cannot sign in with %j', async (guess) => {
    await app.client().register('passwordless@example.com');
    await setUser('passwordless@example.com', 'password_hash', null);
    const sessions = await app.sessions();
    expectProblem(await app.client().login('passwordless@example.com', guess), 401, 'incorrect_credentials');
    expectProblem(await app.client().login('nobody@example.com', guess), 401, 'incorrect_credentials');
    expect(await app.sessions()).toEqual(sessions);
  });

  test.each(['', '$argon2id$', PASSWORD, '$2b$12$abcdefghijklmnopqrstuuW8l1mHqk3nq1sKD1e9vC2cJ2iW2m3iK'])(
    'a stored value that is no hash (%j) matches no password and causes no server error',
    async (stored) => {
      await app.client().register('broken@example.com');
      await setUser('broken@example.com', 'password_hash', stored);
      expectProblem(await app.client().login('broken@example.com'), 401, 'incorrect_credentials');
      expect(app.log.filter(({ level }) => level === 'error')).toEqual([]);
    },
  );

  test('a password is the same in every Unicode composition', async () => {
    await app.client().register('composed@example.com', 'pa\u00dfwort mit \u00e9t\u00e9');
    expect((await app.client().login('composed@example.com', 'pa\u00dfwort mit e\u0301te\u0301')).status).toBe(200);
    expect((await app.client().login('composed@example.com', 'pa\u00dfwort mit ete')).status).toBe(401);
  });

  test('a hash with older parameters is renewed by the right password only', async () => {
    await app.signedUp('older@example.com');
    const older = await hash(PASSWORD, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
    secrets.add(older);
    await setUser('older@example.com', 'password_hash', older);
    expect((await app.client().login('older@example.com', WRONG)).status).toBe(401);
    expect(await hashOf('older@example.com')).toBe(older);
    const client = app.client();
    expect((await client.login('older@example.com')).status).toBe(200);
    const renewed = await hashOf('older@example.com');
    expect(renewed).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect((await client.refresh()).status).toBe(200);
    expect((await app.client().login('older@example.com')).status).toBe(200);
    expect(await hashOf('older@example.com')).toBe(renewed);
  });

  test('first logins at the same moment after a change of parameters all succeed', async () => {
    await app.signedUp('twice@example.com');
    const older = await hash(PASSWORD, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
    await setUser('twice@example.com', 'password_hash', older);
    const answers = await Promise.all([1, 2, 3, 4].map(() => app.client().login('twice@example.com')));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(await sessionsOf('twice@example.com')).toHaveLength(5);
  });
});

describe('login through the app’s subclass of LoginService', () => {
  const seen: string[] = [];
  class AuditedLogin extends LoginService {
    override async login(credentials: Credentials) {
      const tokens = await super.login(credentials);
      seen.push(`${credentials.email} from ${credentials.ip}`);
      return tokens;
    }
  }
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ auth: { services: [AuditedLogin] } });
    await app.signedUp('ada@example.com');
  });
  afterAll(() => app.close());

  test("runs the subclass in place of the library's service", async () => {
    expect((await app.client().login('ada@example.com', WRONG)).status).toBe(401);
    expect(seen).toEqual([]);
    expect((await app.client().login('ada@example.com')).status).toBe(200);
    expect(seen).toEqual(['ada@example.com from 127.0.0.1']);
  });
});
