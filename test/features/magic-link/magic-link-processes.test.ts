import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { magicLinkModule } from '../../../src/features/magic-link/index.js';
import { codesModule, entitiesWith } from '../../support/codes.module.js';
import { ENCRYPTION_KEY } from '../../support/encryption-key.js';
import { liveSessionsOf } from '../../support/factor-owners.js';
import { COOKIE, wrong } from '../../support/magic-link-app.js';
import { PUBLIC_URL } from '../../support/mail-app.js';
import { createMailboxes, createMailedSignIns, type MailedSecrets } from '../../support/mailed-sign-ins.js';
import { claimsOf } from '../../support/race.js';
import { startServerProcess } from '../../support/server-process.js';
import { createTestApp, SECRET, type TestApp } from '../../support/test-app.js';
import { type Answer, TestClient } from '../../support/test-client.js';
import { waitForBlocked } from '../../support/test-database.js';

const ROUNDS = 200;
/** Rounds that run at once. */
const BATCH = 20;

let app: TestApp;
let server: Awaited<ReturnType<typeof startServerProcess>>;
beforeAll(async () => {
  const settings = { publicUrl: PUBLIC_URL, magicLinkSignUp: true, auditLog: true, mailRateLimit: 'off' } as const;
  app = await createTestApp({ settings, orm: { entities: entitiesWith(codesModule(), magicLinkModule) } });
  const own = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, development: true };
  server = await startServerProcess(app.database.appUrl, { ...settings, ...own }, { hasMagicLinks: true });
});
afterAll(async () => {
  await server.stop();
  await app.close();
});

/** Sends a request to one of the two processes: this one, or the other server. */
function post(at: number, path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  const client = new TestClient(at % 2 === 0 ? app.url : server.url, 'cookie', 'refresh_token');
  return client.send('POST', `/auth/magic-link/${path}`, body, headers);
}
const byCode = (at: number, { request, code }: MailedSecrets) => post(at, 'verify', { request, code });
const byLink = (at: number, { key }: MailedSecrets) => post(at, 'sign-in', {}, { cookie: `${COOKIE}=${key}` });

test(`of a link, its code and a second click at once, one signs in, ${ROUNDS} times`, async () => {
  for (let round = 0; round < ROUNDS; round += BATCH) {
    const users = await createMailboxes(app, BATCH);
    const mailed = await createMailedSignIns(app, users);
    const answers = await Promise.all(
      mailed.map((each, at) =>
        Promise.all([byCode(at, each), byLink(at + 1, each), byLink(at, each), byCode(at + 1, each)]),
      ),
    );
    const sessions = await liveSessionsOf(
      app,
      users.map(({ id }) => id),
    );
    for (const [at, each] of answers.entries()) {
      const won = each.filter(({ status }) => status === 200);
      const lost = each.filter(({ status }) => status !== 200);
      expect(won).toHaveLength(1);
      for (const { status, body, headers } of lost) {
        expect([status, body.code]).toEqual([401, expect.stringMatching(/^(code|token)_not_valid$/)]);
        expect(headers.getSetCookie()).toEqual([]);
      }
      expect(sessions[at]).toEqual([claimsOf(won[0]?.body.access).session]);
    }
  }
});

test('of thirty parallel guesses on two servers, three are checked, and then the right code is refused', async () => {
  const users = await createMailboxes(app, BATCH);
  const mailed = await createMailedSignIns(app, users);
  for (const [at, each] of mailed.entries()) {
    const guesses = Array.from({ length: 30 }, (_, by) => ({ ...each, code: wrong(each.code, by + 1) }));
    const answers = await Promise.all(guesses.map((guess, server) => byCode(server, guess)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([401]));
    const sql = `select 1 from auth_audit_event where event = 'magic-link.failed' and user_id = $1`;
    expect((await app.database.pool.query(sql, [users[at]?.id])).rows).toHaveLength(3);
    expect((await byCode(0, each)).body.code).toBe('code_not_valid');
    expect((await byLink(1, each)).body.code).toBe('token_not_valid');
  }
});

test('of a link and a code that sign up at once, one creates the user', async () => {
  const people = Array.from({ length: BATCH }, () => ({ id: null, email: `${crypto.randomUUID()}@example.com` }));
  const mailed = await createMailedSignIns(app, people);
  const answers = await Promise.all(mailed.map((each) => Promise.all([byCode(0, each), byLink(1, each)])));
  for (const each of answers) expect(each.map(({ status }) => status).sort()).toEqual([200, 401]);
  const emails = people.map(({ email }) => email);
  const { rows } = await app.database.pool.query('select email from app_user where email = any($1)', [emails]);
  expect(rows.map(({ email }) => email).sort()).toEqual([...emails].sort());
});

test('a mailed sign-in in parallel with a sign-up for the same address comes first, or takes the address back', async () => {
  for (let round = 0; round < BATCH; round++) {
    const email = `${crypto.randomUUID()}@example.com`;
    const [mailed] = await createMailedSignIns(app, [{ id: null, email }]);
    const [answer, stranger] = await Promise.all([byCode(0, mailed as MailedSecrets), app.client().register(email)]);
    expect(answer.status).toBe(200);
    expect([201, 409]).toContain(stranger.status);
    const { rows } = await app.database.pool.query('select id from app_user where email = $1', [email]);
    expect(rows).toEqual([{ id: claimsOf(answer.body.access).sub }]);
  }
});

/** Starts a sign-in that waits for the user's row, does something else meanwhile, and lets it continue. */
async function whileWaiting(
  user: string,
  signIn: () => Promise<Answer>,
  work: (at: pg.PoolClient) => Promise<unknown>,
) {
  const holder = await app.database.pool.connect();
  let isDone = false;
  try {
    await holder.query('begin');
    await holder.query('select 1 from app_user where id = $1 for update', [user]);
    const answer = signIn();
    await waitForBlocked(app.database.pool, 1);
    await work(holder);
    await holder.query('commit');
    isDone = true;
    return await answer;
  } finally {
    holder.release(!isDone);
  }
}

/** What voids a link or a code whose sign-in has begun already. */
const VOIDING: readonly [string, (mailed: MailedSecrets, at: pg.PoolClient, user: string) => Promise<unknown>][] = [
  [
    'three wrong codes',
    async (mailed) => {
      for (const by of [1, 2, 3]) await byCode(by, { ...mailed, code: wrong(mailed.code, by) });
    },
  ],
  [
    'a change of the credentials',
    (_mailed, at, user) =>
      at.query(
        `insert into auth_account (user_id, state, credential_epoch) values ($1, 'in_use', 1)
        on conflict (user_id) do update set credential_epoch = auth_account.credential_epoch + 1`,
        [user],
      ),
  ],
  ['a deactivation', (_mailed, at, user) => at.query('update app_user set is_active = false where id = $1', [user])],
  [
    'a change of the address',
    (_mailed, at, user) => at.query(`update app_user set email = 'new-' || email where id = $1`, [user]),
  ],
];

test.each(VOIDING)('%s voids a link whose sign-in has begun', async (what, change) => {
  const [user] = await createMailboxes(app, 1);
  const [mailed] = await createMailedSignIns(app, user ? [user] : []);
  if (!user || !mailed) throw new Error('there is no user');
  const answer = await whileWaiting(
    user.id,
    () => byLink(0, mailed),
    (at) => change(mailed, at, user.id),
  );
  expect([what, answer.status, answer.body.code]).toEqual([what, 401, 'token_not_valid']);
  expect((await liveSessionsOf(app, [user.id])).flat()).toEqual([]);
});
