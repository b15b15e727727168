import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD, type TestClient } from '../support/test-client.js';
import { waitForBlocked } from '../support/test-database.js';
import { until } from '../support/until.js';

const OWNER = 'owner@example.com';
let first: MailApp;
let second: MailApp;
let owner: TestClient;
beforeEach(async () => {
  first = await createMailApp({ emailVerification: 'optional' });
  owner = await first.signedUp(OWNER);
  await first.mailsTo(OWNER);
  first.sink.mails.length = 0;
  second = await createMailApp({ emailVerification: 'optional' }, { database: first.database });
});
afterEach(async () => {
  await second.close();
  await first.close();
});

const rows = async () => (await first.database.pool.query('select recipient, content from auth_outbox_mail')).rows;
const reset = (email: string) => first.client().send('POST', '/auth/password/reset', { email });

/** Work after a 202, and the address to which its mails go. */
const WORK: readonly (readonly [name: string, ask: () => Promise<{ status: number }>, to: readonly string[]])[] = [
  ['a reset', () => reset(OWNER), [OWNER]],
  ['a resend', () => first.client().send('POST', '/auth/registration/verification/resend', { email: OWNER }), [OWNER]],
  [
    'a change of the address',
    () => owner.send('POST', '/auth/email/change', { email: 'new@example.com', password: PASSWORD }, owner.bearer),
    [OWNER, 'new@example.com'],
  ],
];

describe('work after an answer', () => {
  test.each(WORK)('is done by another server when the first one dies during it: %s', async (_, ask, to) => {
    const client = await first.database.pool.connect();
    await client.query('begin');
    await client.query('lock table auth_one_time_key in access exclusive mode');
    expect((await ask()).status).toBe(202);
    await waitForBlocked(first.database.pool, 1); // it is in the middle of its work
    expect(await second.auth.outbox.deliver()).toBe(0); // no other server does it in the meantime
    const blocked = `from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await client.query(`select pg_terminate_backend(pid) ${blocked}`);
    await until(async () => (await client.query(`select 1 ${blocked}`)).rowCount === 0);
    await client.query('commit');
    client.release();
    await first.auth.close();
    const [row, ...more] = await rows();
    expect([row?.recipient, more]).toEqual(['', []]);
    expect(row?.content).not.toContain('@'); // sealed
    expect(first.sink.mails).toEqual([]);

    second.clock.advance('30s');
    await second.auth.outbox.deliver();
    expect(second.sink.mails).toEqual([]); // the first may still do it
    second.clock.advance('6m');
    await second.auth.outbox.deliver();
    await until(() => second.sink.mails.length >= to.length);
    await second.auth.close();
    expect(second.sink.mails.map((mail) => [mail.to].flat()[0]?.text).sort()).toEqual([...to].sort());
    expect(await rows()).toEqual([]);
  });

  test('is done once, even if every server looks for it at the same moment', async () => {
    await first.database.pool.query('alter table auth_one_time_key add constraint broken check (false) not valid');
    for (let count = 0; count < 5; count++) expect((await reset(OWNER)).status).toBe(202);
    await first.auth.close();
    expect((await rows()).length).toBe(5);
    await first.database.pool.query('alter table auth_one_time_key drop constraint broken');
    for (const app of [first, second]) app.clock.advance('10m');
    await Promise.all([first, second, first, second].map((app) => app.auth.outbox.deliver()));
    for (const app of [first, second]) await app.auth.close();
    for (const app of [first, second]) await app.auth.outbox.deliver();
    expect(first.sink.mails.length + second.sink.mails.length).toBe(5);
    expect(await rows()).toEqual([]);
  });

  test('leaves the same state for an unknown address: a row at the answer, and none afterwards', async () => {
    const answers = [await reset(OWNER), await reset('nobody@example.com')];
    expect(answers[0]?.body).toEqual(answers[1]?.body);
    expect(answers.map(({ status }) => status)).toEqual([202, 202]);
    await first.auth.close();
    expect(await rows()).toEqual([]);
    expect(first.sink.mails).toHaveLength(1);
  });

  test.each<[what: string, spoil: () => Promise<unknown>]>([
    ['the session that asked has ended', () => owner.logout()],
    ['the password was changed', () => owner.changePassword(PASSWORD, 'another sentence, as long')],
    ['the password hash is another', () => first.database.pool.query(`update app_user set password_hash = 'x'`)],
    ['the user was deactivated', () => first.database.pool.query('update app_user set is_active = false')],
  ])('on the address is dropped if %s in the meantime', async (_, spoil) => {
    await first.database.pool.query('alter table auth_one_time_key add constraint broken check (false) not valid');
    const body = { email: 'new@example.com', password: PASSWORD };
    expect((await owner.send('POST', '/auth/email/change', body, owner.bearer)).status).toBe(202);
    await first.auth.close();
    await first.database.pool.query('alter table auth_one_time_key drop constraint broken');
    await spoil();
    second.clock.advance('10m');
    await second.auth.outbox.deliver();
    await second.auth.close();
    expect(await rows()).toEqual([]);
    const subjects = [...first.sink.mails, ...second.sink.mails].map(({ subject }) => subject);
    expect(subjects.filter((subject) => subject !== 'Your password was changed')).toEqual([]);
  });

  test('is dropped after an hour', async () => {
    await first.database.pool.query('alter table auth_one_time_key add constraint broken check (false) not valid');
    await reset(OWNER);
    await first.auth.close();
    await first.database.pool.query('alter table auth_one_time_key drop constraint broken');
    second.clock.advance('61m');
    await second.auth.outbox.deliver();
    await second.auth.close();
    expect(second.sink.mails).toEqual([]);
    await second.auth.purge.run({ pause: async () => {} });
    expect(await rows()).toEqual([]);
  });

  test('is not answered with 202 if it cannot be stored', async () => {
    await first.database.pool.query('alter table auth_outbox_mail rename to away');
    expect((await reset(OWNER)).status).toBe(500);
    await first.database.pool.query('alter table away rename to auth_outbox_mail');
    expect((await reset(OWNER)).status).toBe(202);
  });
});
