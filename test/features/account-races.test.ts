import { afterEach, expect, test } from 'vitest';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { PASSWORD } from '../support/test-client.js';
import { waitForBlocked } from '../support/test-database.js';

let app: MailApp;
afterEach(() => app.close());
const NEW = 'a new sentence of some length';

test.each([0, 1, 2, 3])(
  'a reset in parallel with login, rotation, change of address and deletion leaves one session and no key (order %i)',
  async (turn) => {
    app = await createMailApp({ emailVerification: 'optional' });
    const thief = await app.signedUp('owner@example.com');
    const second = app.client();
    await second.login('owner@example.com');
    await app.client().send('POST', '/auth/password/reset', { email: 'owner@example.com' });
    await app.mailsTo('owner@example.com', 2);
    const mail = app.sink.mails.find(({ subject }) => subject === 'Set a new password');
    const [link = ''] = /http:\S+/.exec(mail?.text ?? '') ?? [];
    const cookie = (await app.open(link)).cookies.get('password_reset_access_token')?.split(';')[0] ?? '';
    const holder = await app.database.pool.connect();
    await holder.query('begin');
    await holder.query('select 1 from app_user for update');
    const work = [
      () => app.client().send('POST', '/auth/password/reset/set-new', { newPassword: NEW }, { cookie }),
      () => app.client().login('owner@example.com'),
      () => second.refresh(),
      () => thief.send('POST', '/auth/email/change', { email: 'thief@example.com', password: PASSWORD }, thief.bearer),
      () => second.send('DELETE', '/auth/user', { password: 'wrong but long enough' }, second.bearer),
    ];
    const turned = [...work.slice(turn), ...work.slice(0, turn)];
    const running = [];
    for (const each of turned) running.push(each());
    await waitForBlocked(app.database.pool, 2);
    await holder.query('commit');
    holder.release();
    const answers = await Promise.all(running);
    expect(answers.map(({ status }) => status).filter((status) => status >= 500)).toEqual([]);
    await app.auth.close();
    expect(await app.liveSessions()).toBe(1); // the one of the reset
    const { rows } = await app.database.pool.query('select purpose from auth_one_time_key');
    expect(rows).toEqual([]);
    expect((await app.client().login('owner@example.com', NEW)).status).toBe(200);
  },
);
