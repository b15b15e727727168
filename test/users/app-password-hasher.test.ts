import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import { expect, test } from 'vitest';
import { PasswordHasher } from '../../src/index.js';
import { createTestApp } from '../support/test-app.js';

const PASSWORD = 'a long sentence of old';

/** Hashes passwords like the app before the migration. */
function scryptHash(password: string, salt = randomBytes(16)): string {
  return `$scrypt$${salt.toString('base64url')}$${scryptSync(password, salt, 32).toString('base64url')}`;
}

class ScryptHasher extends PasswordHasher {
  override async verify(passwordHash: string | null | undefined, password: string) {
    const [, kind, salt, hash] = passwordHash?.split('$') ?? [];
    if (kind !== 'scrypt' || !salt || !hash) return super.verify(passwordHash, password);
    return timingSafeEqual(scryptSync(password, Buffer.from(salt, 'base64url'), 32), Buffer.from(hash, 'base64url'));
  }
}

test('users with foreign hashes sign in through a hasher of the app, and get a hash of the library', async () => {
  const app = await createTestApp({ auth: { services: [ScryptHasher] } });
  await app.signedUp('old@example.com');
  const hashOf = async () =>
    (await app.database.pool.query('select password_hash from app_user')).rows[0].password_hash;
  await app.database.pool.query('update app_user set password_hash = $1', [scryptHash(PASSWORD)]);
  expect((await app.client().login('old@example.com', 'another sentence')).status).toBe(401);
  expect(await hashOf()).toMatch(/^\$scrypt\$/);
  const client = app.client();
  expect((await client.login('old@example.com', PASSWORD)).status).toBe(200);
  expect(await hashOf()).toMatch(/^\$argon2id\$/);
  expect((await client.refresh()).status).toBe(200);
  expect((await app.client().login('old@example.com', PASSWORD)).status).toBe(200);
  expect((await app.client().login('old@example.com', 'another sentence')).status).toBe(401);
  expect(app.log).toEqual([]);
  await app.close();
});
