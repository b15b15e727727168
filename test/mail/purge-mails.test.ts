import { createHash, randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PurgeOptions, PurgeResult } from '../../src/index.js';
import type { KeyPurpose } from '../../src/tokens/one-time-keys.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { AppUser } from '../support/users.js';

/** Keys of every purpose; each can be deleted once it has expired. */
const SWEPT: readonly KeyPurpose[] = [
  'password-reset',
  'email-verification',
  'email-verified',
  'email-change',
  'registration',
  'invitation',
  'invitation-used',
];

/** Without the pauses between statements, which take real time. */
const HURRY = { pause: async () => {} } satisfies PurgeOptions;
const NOTHING: PurgeResult = {
  sessions: 0,
  revocations: 0,
  counters: 0,
  oneTimeKeys: 0,
  mails: 0,
  signUps: 0,
  challenges: 0,
};

let app: TestApp;
beforeEach(async () => {
  // A statement that waits for a lock here fails at once and does not hang.
  app = await createTestApp({ orm: { driverOptions: { options: '-c lock_timeout=1s' } } });
});
afterEach(() => app.close());

/** The instant so many milliseconds after now, by the app's clock. */
const inMs = (milliseconds: number) => new Date(app.clock.now() + milliseconds);

/** Inserts a key of each purpose for a user of its own, all of them expiring at an instant. */
async function insertKeys(name: string, expiresAt: Date): Promise<void> {
  const user = Object.assign(new AppUser(), { email: `${name}@example.com`, isActive: true });
  await app.orm.em.fork().persist(user).flush();
  for (const purpose of SWEPT) {
    await app.database.pool.query(
      'insert into auth_one_time_key (hash, purpose, user_id, email, expires_at) values ($1, $2, $3, $4, $5)',
      [createHash('sha256').update(randomUUID()).digest('base64url'), purpose, user.id, user.email, expiresAt],
    );
  }
}

/** Inserts a mail with the instants of its next try and of its expiry. */
async function insertMail(to: string, nextAttemptAt: Date, expiresAt: Date): Promise<void> {
  await app.database.pool.query(
    `insert into auth_outbox_mail (id, recipient, content, attempts, next_attempt_at, expires_at)
     values ($1, $2, '', 3, $3, $4)`,
    [randomUUID(), to, nextAttemptAt, expiresAt],
  );
}

const column = async (sql: string) => (await app.database.pool.query(sql)).rows.map(({ value }) => value);
const keys = () => column("select email || ' ' || purpose as value from auth_one_time_key order by 1");
const mails = () => column('select recipient as value from auth_outbox_mail order by 1');
const of = (name: string, purposes: readonly KeyPurpose[]) => purposes.map((each) => `${name}@example.com ${each}`);

describe('a purge', () => {
  beforeEach(async () => {
    for (const [name, at] of [
      ['past', -1],
      ['now', 0],
      ['soon', 1],
    ] as const) {
      await insertKeys(name, inMs(at));
      await insertMail(`${name} and due`, inMs(-60_000), inMs(at));
      await insertMail(`${name} and not due`, inMs(60_000), inMs(at));
    }
  });

  const KEYS_LEFT = () => of('soon', SWEPT).sort();
  const MAILS_LEFT = ['soon and due', 'soon and not due'];
  const COUNTS = { ...NOTHING, oneTimeKeys: 2 * SWEPT.length, mails: 4 };

  test('deletes expired keys and mails, including those of invitations, and counts them', async () => {
    expect(await app.auth.purge.run(HURRY)).toEqual(COUNTS);
    expect([(await keys()).sort(), await mails()]).toEqual([KEYS_LEFT(), MAILS_LEFT]);
    expect(await app.auth.purge.run(HURRY)).toEqual(NOTHING);
    app.clock.advance(0.001);
    expect(await app.auth.purge.run(HURRY)).toEqual({ ...NOTHING, oneTimeKeys: SWEPT.length, mails: 2 });
    expect([await keys(), await mails()]).toEqual([[], []]);
    expect(await column('select count(*)::int as value from app_user')).toEqual([3]);
  });

  test('deletes sign-ups that were not confirmed in time, and counts them', async () => {
    const sql =
      "insert into auth_pending_sign_up (email, password_hash, fields, key_hash, expires_at) values ($1, '', '{}', $2, $3)";
    for (const [index, at] of [-1, 0, 1].entries()) {
      await app.database.pool.query(sql, [`${at}@example.com`, 'x'.repeat(42) + index, inMs(at)]);
      await app.database.pool.query(sql, [`taken ${at}@example.com`, null, inMs(at)]);
    }
    expect(await app.auth.purge.run({ dryRun: true })).toEqual({ ...COUNTS, signUps: 4 });
    expect(await app.auth.purge.run(HURRY)).toEqual({ ...COUNTS, signUps: 4 });
    expect(await column('select email as value from auth_pending_sign_up order by id')).toEqual([
      '1@example.com',
      'taken 1@example.com',
    ]);
  });

  test('as a dry run counts the same keys and mails and deletes none', async () => {
    const before = [await keys(), await mails()];
    expect(await app.auth.purge.run({ dryRun: true })).toEqual(COUNTS);
    expect([await keys(), await mails()]).toEqual(before);
  });

  test('reports its progress on keys and mails, in batches', async () => {
    const progress: PurgeResult[] = [];
    await app.auth.purge.run({ ...HURRY, batchSize: 3, onProgress: (soFar) => progress.push(soFar) });
    expect(progress.map(({ oneTimeKeys, mails }) => [oneTimeKeys, mails])).toEqual([
      [3, 0],
      [6, 0],
      [9, 0],
      [12, 0],
      [14, 0],
      [14, 3],
      [14, 4],
    ]);
  });

  test('skips keys and mails that are locked, and deletes them the next time', async () => {
    const holder = await app.database.pool.connect();
    try {
      await holder.query('begin');
      await holder.query("select from auth_one_time_key where email = 'past@example.com' for update");
      await holder.query("update auth_outbox_mail set attempts = 4 where recipient like 'past%'");
      expect(await app.auth.purge.run(HURRY)).toEqual({ ...COUNTS, oneTimeKeys: SWEPT.length, mails: 2 });
    } finally {
      await holder.query('rollback');
      holder.release();
    }
    expect(await app.auth.purge.run(HURRY)).toEqual({ ...NOTHING, oneTimeKeys: SWEPT.length, mails: 2 });
    expect([(await keys()).sort(), await mails()]).toEqual([KEYS_LEFT(), MAILS_LEFT]);
  });
});
