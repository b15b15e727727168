import { afterEach, expect, test } from 'vitest';
import { BoundClient } from '../support/bound-client.js';
import { createMailApp, type MailApp } from '../support/mail-app.js';
import { type SentQuery, sentQueries } from '../support/query-count.js';
import { PASSWORD } from '../support/test-client.js';

let app: MailApp;
afterEach(() => app.close());

const ADA = 'ada@example.com';
const FILLED = ['app_user', 'auth_session', 'auth_one_time_key', 'auth_pending_sign_up'];

/** Many rows of other users in each table, so that PostgreSQL uses an index where one exists. */
async function fill(): Promise<void> {
  const later = `now() + interval '10 years'`;
  for (const sql of [
    `insert into app_user (id, email, permissions) select gen_random_uuid(), 'user' || n || '@example.com', '[]'
     from generate_series(1, 5000) n`,
    `insert into auth_session (id, user_id, jti, rotated_at, created_at, expires_at)
     select gen_random_uuid(), id, gen_random_uuid(), now(), now(), ${later} from app_user where email like 'user%'`,
    `insert into auth_one_time_key (hash, purpose, user_id, email, expires_at)
     select md5(id::text || n) || '-----------', 'email-undo-' || n, id, email, ${later}
     from app_user, generate_series(1, 3) n where email like 'user%'`,
    `insert into auth_pending_sign_up (email, password_hash, fields, key_hash, expires_at)
     select email, 'none', '{}', hash, ${later} from auth_one_time_key`,
    'analyze',
  ])
    await app.database.pool.query(sql);
}

/** Each distinct statement of `work` that reads a filled table as a whole, by its name. */
async function wholeReads(work: () => Promise<unknown>): Promise<string[]> {
  const sent = new Map<string, SentQuery>();
  for (const query of await sentQueries(app.orm, work)) sent.set(query.text, query);
  const looked = [...sent.values()].filter(({ text }) => /^\s*(select|with|update|delete|insert)\b/i.test(text));
  expect(looked.length).toBeGreaterThan(3);
  const found: string[] = [];
  for (const { text, values } of looked) {
    const { rows } = await app.database.pool.query(`explain (format json) ${text}`, [...values]);
    for (const [, table = ''] of JSON.stringify(rows).matchAll(/"Seq Scan"[^{}[\]]*?"Relation Name":"(\w+)"/g)) {
      if (FILLED.includes(table)) found.push(`${table}: ${text}`);
    }
  }
  return found;
}

const cookieOf = (cookies: ReadonlyMap<string, string>) => [...cookies.values()][0]?.split(';')[0] ?? '';

test.each(['optional', 'mandatory'] as const)(
  'no way to sign in, and no mail, reads a whole table: %s',
  async (emailVerification) => {
    app = await createMailApp({ emailVerification });
    await fill();
    const found = await wholeReads(async () => {
      const ada = app.client();
      await ada.send('POST', '/auth/registration', { email: ADA, password: PASSWORD });
      const first = await app.linkTo(ADA);
      await ada.send('POST', '/auth/registration/verification/resend', { email: ADA });
      await app.linkTo(ADA, 2);
      expect((await app.open(first)).status).toBe(400);
      expect((await app.open(await app.linkTo(ADA, 2))).status).toBe(200);
      expect((await ada.login(ADA)).status).toBe(200);
      expect((await ada.refresh()).status).toBe(200);
      const bound = await BoundClient.of(app);
      expect((await bound.login(ADA)).status).toBe(200);
      const parent = bound.refreshToken;
      expect((await bound.refresh()).status).toBe(200);
      bound.refreshToken = parent;
      expect((await bound.refresh()).status).toBe(200);
      const change = { email: 'countess@example.com', password: PASSWORD };
      expect((await ada.send('POST', '/auth/email/change', change, ada.bearer)).status).toBe(202);
      expect((await app.open(await app.linkTo('countess@example.com'))).status).toBe(200);
      const mail = (await app.mailsTo(ADA, 4)).find(({ text }) => text?.includes('/email/undo/'));
      expect((await app.open(/http:\S+/.exec(mail?.text ?? '')?.[0] ?? '')).status).toBeLessThan(400);
      await ada.send('POST', '/auth/password/reset', { email: 'countess@example.com' });
      const cookie = cookieOf((await app.open(await app.linkTo('countess@example.com', 2))).cookies);
      const body = { newPassword: 'tiger lamp cloud river' };
      expect((await ada.send('POST', '/auth/password/reset/set-new', body, { cookie })).status).toBe(200);
    });
    expect(found).toEqual([]);
  },
);
