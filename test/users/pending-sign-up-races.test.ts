import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { waitForBlocked } from '../support/test-database.js';

const ADA = 'ada@example.com';
const STRANGER = 'the password of a stranger';
const LOCK = "select pg_advisory_xact_lock(hashtextextended('ada@example.com', 0))";
let app: MailApp;
let links: string[];
/** Of the browser that signed up last. */
let cookie: string;
let grace: TestClient;

beforeEach(async () => {
  app = await createMailApp({ emailVerification: 'mandatory', invitations: true });
  await signUp('grace@example.com', PASSWORD);
  await app.open(await app.linkTo('grace@example.com'));
  grace = app.client();
  await grace.login('grace@example.com');
  await app.database.pool.query('update app_user set role = 1000');
  for (const [index, password] of [PASSWORD, STRANGER].entries()) {
    cookie = (await signUp(ADA, password)).headers.getSetCookie()[0]?.split(';')[0] ?? '';
    await app.mailsTo(ADA, index + 1); // mails can overtake each other
  }
  links = (await app.mailsTo(ADA, 2)).map(({ text }) => /http:\S+/.exec(text ?? '')?.[0] ?? '');
});
afterEach(() => app.close());

const signUp = (email: string, password: string) =>
  app.client().send('POST', '/auth/registration', { email, password });
const open = async (index: number) => (await app.open(links[index] ?? '')).status;
const invite = async () =>
  (await grace.send('POST', '/auth/registration/user-register', { email: ADA, role: 0 }, grace.bearer)).status;
const holders = async () =>
  (await app.database.pool.query('select email_verified, password_hash from app_user where email = $1', [ADA])).rows;
const code = async (password: string) => {
  const { status, body } = await app.client().login(ADA, password);
  return status === 200 ? 200 : body.code;
};

/** Lets some steps wait for the locks of a statement, one after the other, and then releases them. */
async function behind<T>(statement: string, steps: readonly (() => Promise<T>)[]): Promise<T[]> {
  const holder = await app.database.pool.connect();
  try {
    await holder.query('begin');
    await holder.query(statement);
    const running: Promise<T>[] = [];
    for (const step of steps) {
      running.push(step());
      await waitForBlocked(app.database.pool, running.length);
    }
    await holder.query('commit');
    return await Promise.all(running);
  } finally {
    holder.release();
  }
}

test.each([
  [0, 1],
  [1, 0],
])('of two links of two sign-ups that are opened at the same moment one succeeds (%i first)', async (first, second) => {
  expect(await behind(LOCK, [() => open(first), () => open(second)])).toEqual([200, 400]);
  const passwords = [PASSWORD, STRANGER];
  expect([await code(passwords[first] ?? ''), await code(passwords[second] ?? '')]).toEqual([
    200,
    'email_not_verified',
  ]);
  expect(await holders()).toMatchObject([{ email_verified: true }]);
});

test('of two links that both wait for their rows one succeeds, and the other is refused without an error', async () => {
  const rows = 'select 1 from auth_pending_sign_up for update';
  expect(await behind(rows, [() => open(0), () => open(1)])).toEqual([200, 400]);
  expect(await holders()).toMatchObject([{ email_verified: true }]);
  expect([await code(PASSWORD), await code(STRANGER), await open(1)]).toEqual([200, 'email_not_verified', 400]);
  expect(app.log).toEqual([]);
});

test('one link that is opened twice at the same moment creates one user, and both show the same page', async () => {
  expect(await behind(LOCK, [() => open(0), () => open(0)])).toEqual([200, 200]);
  expect(await holders()).toHaveLength(1);
});

test('in parallel with an invitation the link or the invitation fails, whichever is second', async () => {
  expect(await behind(LOCK, [invite, () => open(0)])).toEqual([201, 400]);
  expect(await holders()).toEqual([{ email_verified: false, password_hash: null }]);
  await app.database.pool.query('delete from app_user where email = $1', [ADA]);
  expect(await behind(LOCK, [() => open(0), invite])).toEqual([200, 409]);
  expect([await holders(), await code(PASSWORD)]).toMatchObject([[{ email_verified: true }], 200]);
});

test.each(['the link', 'the change of address'])(
  'in parallel with a change to the same address the second one fails: %s first',
  async (which) => {
    await grace.send('POST', '/auth/email/change', { email: ADA, password: PASSWORD }, grace.bearer);
    const mails = await app.mailsTo(ADA, 3);
    const change = mails.find(({ subject }) => subject === 'Confirm your new e-mail address');
    links.push(/http:\S+/.exec(change?.text ?? '')?.[0] ?? '');
    const isLinkFirst = which === 'the link';
    expect(await behind(LOCK, isLinkFirst ? [() => open(0), () => open(2)] : [() => open(2), () => open(0)])).toEqual([
      200, 400,
    ]);
    const addresses = (await app.database.pool.query('select email from app_user order by email')).rows;
    expect(addresses.map(({ email }) => email)).toEqual(isLinkFirst ? [ADA, 'grace@example.com'] : [ADA]);
    expect(await code(STRANGER)).toBe('email_not_verified');
    expect(await open(1)).toBe(400);
  },
);

test('in parallel with a user whom another server inserts the link fails, and nothing of it is left', async () => {
  const insert = `insert into app_user (id, email, role, is_active, email_verified, permissions)
    values (gen_random_uuid(), 'ada@example.com', 0, true, false, '[]')`;
  expect(await behind(insert, [() => open(0)])).toEqual([400]);
  expect(await holders()).toEqual([{ email_verified: false, password_hash: null }]);
  expect(app.log).toEqual([]);
});

test.each(['the link', 'the new link'])(
  'a link that is opened while a new one is requested fails only if the new one is first (%s first)',
  async (which) => {
    const resend = async () =>
      (await app.client().send('POST', '/auth/registration/verification/resend', { email: ADA }, { cookie })).status;
    const isLinkFirst = which === 'the link';
    const steps = isLinkFirst ? [() => open(1), resend] : [resend, () => open(1)];
    expect(await behind(LOCK, steps)).toEqual(isLinkFirst ? [200, 202] : [202, 400]);
    if (!isLinkFirst) {
      links.push(/http:\S+/.exec((await app.mailsTo(ADA, 3))[2]?.text ?? '')?.[0] ?? '');
      expect(await open(2)).toBe(200);
    }
    expect([await code(STRANGER), await code(PASSWORD)]).toEqual([200, 'email_not_verified']);
    expect(await app.mailCount()).toBe(isLinkFirst ? 3 : 4);
  },
);

test('a sign-up in parallel with the opening of a link waits for it, and then finds the address taken', async () => {
  const status = async () => (await signUp(ADA, 'the third password of all')).status;
  expect(await behind(LOCK, [() => open(0), status])).toEqual([200, 201]);
  const { rows } = await app.database.pool.query('select key_hash from auth_pending_sign_up');
  expect(rows).toEqual([{ key_hash: null }, { key_hash: null }]);
  expect((await app.mailsTo(ADA, 3))[2]?.subject).toBe('You already have an account');
});
