import { afterEach, beforeEach, expect, test } from 'vitest';
import { expectProblem } from '../../support/expect-problem.js';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { PASSWORD, type TestClient } from '../../support/test-client.js';

let app: MailApp;
let ada: TestClient;
const events: string[] = [];
beforeEach(async () => {
  app = await createMailApp({ accessTokenSessionCheck: 'database' });
  ada = await app.signedUp('ada@example.com');
  events.splice(0);
  for (const name of ['user.deleted', 'session.revoked'] as const) app.auth.events.on(name, () => events.push(name));
});
afterEach(() => app.close());

const remove = (password = PASSWORD) => ada.send('DELETE', '/auth/user', { password }, ada.bearer);

test.each([
  ['that restricts', 'references app_user on delete restrict'],
  ['without a rule', 'references app_user'],
  ['that is checked when the transaction ends', 'references app_user deferrable initially deferred'],
])('an account to which a foreign key points %s is kept, with its sessions', async (_what, reference) => {
  await app.database.pool.query(`create table invoice (owner uuid constraint invoice_owner ${reference}, note text)`);
  await app.database.pool.query(`insert into invoice select id, 'a private note' from app_user`);
  const problem = await remove();
  expectProblem(problem, 409, 'account_in_use');
  const { rows: waiting } = await app.database.pool.query('select * from auth_outbox_mail');
  expect([problem.cookie, events, waiting, app.sink.mails]).toEqual([undefined, [], [], []]);
  const [line, ...others] = app.log.filter(({ level }) => level !== 'info');
  expect([line, others]).toEqual([
    { level: 'warn', message: 'an account could not be deleted', constraint: 'invoice_owner', table: 'invoice' },
    [],
  ]);
  expect(await app.liveSessions()).toBe(1);
  expect(await ada.get('/auth/user')).toMatchObject({ status: 200, body: { email: 'ada@example.com' } });
  expect((await ada.refresh()).status).toBe(200);
  expect((await app.client().login('ada@example.com')).status).toBe(200);

  await app.database.pool.query('delete from invoice');
  expect((await remove()).status).toBe(204);
  expect(await app.liveSessions()).toBe(0);
  expect(events.sort()).toEqual(['session.revoked', 'session.revoked', 'user.deleted']);
  expect((await app.mailsTo('ada@example.com')).length).toBe(1);
});

test('an account is also kept if a foreign key would set null in a NOT NULL column', async () => {
  await app.database.pool.query('create table note (owner uuid not null references app_user on delete set null)');
  await app.database.pool.query('insert into note select id from app_user');
  expectProblem(await remove(), 409, 'account_in_use');
  expect(app.log.filter(({ level }) => level !== 'info')).toEqual([
    { level: 'warn', message: 'an account could not be deleted', table: 'note', column: 'owner' },
  ]);
  expect([events, await app.liveSessions()]).toEqual([[], 1]);
});

test('other errors during a deletion are not a conflict, and a wrong password reveals none of them', async () => {
  await app.database.pool.query('create table invoice (owner uuid references app_user)');
  await app.database.pool.query('insert into invoice select id from app_user');
  expectProblem(await remove('a wrong password'), 401, 'incorrect_credentials');
  await app.database.pool.query(`
    create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
    create trigger refuse before delete on app_user execute function refuse()`);
  expectProblem(await remove(), 500, 'internal_error');
  expect([events, await app.liveSessions()]).toEqual([[], 1]);
});
