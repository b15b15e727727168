import { randomUUID } from 'node:crypto';
import { createTotpSecret } from '../../src/features/totp/totp-codes.js';
import { TotpStore } from '../../src/features/totp/totp-store.js';
import { totpCode } from '../../src/features/totp/totp-testing.js';
import { codesOf } from './codes.module.js';
import { challengeBy } from './person.js';
import type { TestApp } from './test-app.js';

/** The codes of each user that `createFactorOwners` makes. */
export const OWN_CODES = ['first', 'second'];

/** Makes many users with the second factor of `codes.module.ts`, by SQL. @returns their keys */
export async function createFactorOwners(app: TestApp, count: number): Promise<string[]> {
  const ids = await createUsersWith(app, 'codes', count);
  const { pool } = app.database;
  await pool.query(
    'insert into test_code (user_id, code) select id, code from unnest($1::uuid[]) as id, unnest($2::text[]) as code',
    [ids, OWN_CODES],
  );
  return ids;
}

/** A user with an authenticator app, and the code that it shows now. */
export interface TotpOwner {
  readonly id: string;
  readonly code: string;
}

/** Makes many users with an authenticator app, in an app with `codes.module.ts` and `jwt-allauth/totp`. */
export async function createTotpOwners(app: TestApp, count: number): Promise<TotpOwner[]> {
  const store = new TotpStore(codesOf(app.auth).kernel);
  const ids = await createUsersWith(app, 'totp', count);
  const owners = ids.map(async (id) => {
    const secret = createTotpSecret();
    await store.keepPending(id, secret, app.orm.em.fork());
    return { id, code: totpCode(secret, app.clock.now()) };
  });
  const made = await Promise.all(owners);
  await app.database.pool.query('update auth_totp set expires_at = null where user_id = any($1)', [ids]);
  return made;
}

async function createUsersWith({ database: { pool } }: TestApp, factor: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, () => randomUUID());
  await pool.query(
    `insert into app_user (id, email, permissions, email_verified, password_hash)
    select id, id || '@example.com', '[]', true, 'the hash of a password' from unnest($1::uuid[]) as id`,
    [ids],
  );
  await pool.query(
    `insert into auth_account (user_id, state, credential_epoch, second_factors)
    select id, 'in_use', 1, array[$2] from unnest($1::uuid[]) as id`,
    [ids, factor],
  );
  return ids;
}

/** The challenge of a sign-in by the app's own code. */
export const challengeFor = ({ auth }: TestApp, id: string): Promise<string> =>
  challengeBy(() => auth.signIn({ id }, { method: 'ticket' }));

/** The ids of the live sessions of each user. */
export async function liveSessionsOf({ database: { pool } }: TestApp, ids: readonly string[]): Promise<string[][]> {
  const { rows } = await pool.query('select user_id, id from auth_session where enabled and user_id = any($1)', [ids]);
  return ids.map((user) => rows.filter((row) => row.user_id === user).map(({ id }) => id));
}
