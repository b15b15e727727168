import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { expectProblem } from '../support/expect-problem.js';
import type { MailApp } from '../support/mail-app.js';
import { createPasskeyOwner, createPasskeysApp, sessionFor, signIn } from '../support/passkeys-app.js';
import { runInProcess, SOURCE_ORM } from '../support/run-in-process.js';
import { SECRET } from '../support/test-app.js';

let app: MailApp;
beforeAll(async () => {
  app = await createPasskeysApp();
});
afterAll(() => app.close());

const run = (args: readonly string[], variables: Record<string, string> = {}) =>
  runInProcess([...args, '--orm', `${SOURCE_ORM}#withPasskeys`], {
    DATABASE_URL: app.database.url,
    NODE_ENV: 'test',
    JWT_ALLAUTH_SECRET_KEY: SECRET,
    JWT_ALLAUTH_ENCRYPTION_KEYS: ENCRYPTION_KEY,
    JWT_ALLAUTH_PUBLIC_URL: 'http://accounts.test',
    ...variables,
  });

describe('passkeys reset', () => {
  test('removes the passkeys of a user, ends the sessions, and mails a notice', async () => {
    const [owner, other] = [await createPasskeyOwner(app), await createPasskeyOwner(app)];
    const client = await sessionFor(app, owner.id);
    await app.mailsTo(owner.email, 1); // the notice of the new passkey has been sent
    expect(await run(['passkeys', 'reset', '--user', owner.email.toUpperCase()])).toEqual({
      code: 0,
      stdout: 'all passkeys of the user were removed, and all sessions of the user were revoked\n',
      stderr: '',
    });
    expect((await client.refresh()).status).toBe(401);
    expect(await app.auth.passkeys.list(owner.id)).toEqual([]);
    expectProblem(await signIn(app.client(), owner.authenticator), 401, 'passkey_not_valid');
    expect((await signIn(app.client(), other.authenticator)).status).toBe(200);
    // A command sends no mails: the servers do, at their next attempt.
    app.clock.advance(3600);
    await app.auth.outbox.deliver();
    const subjects = (await app.mailsTo(owner.email, 2)).map(({ subject }) => subject);
    expect(subjects).toContain('A passkey was removed from your account');

    const again = { code: 1, stdout: '', stderr: 'jwt-allauth: the user has no passkeys\n' };
    expect(await run(['passkeys', 'reset', '--user', owner.id])).toEqual(again);
  });

  test('is refused for an unknown user, and without --user', async () => {
    const unknown = { code: 1, stdout: '', stderr: 'jwt-allauth: there is no user with this id\n' };
    expect(await run(['passkeys', 'reset', '--user', randomUUID()])).toEqual(unknown);
    const missing = await run(['passkeys', 'reset']);
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringMatching(/required option '--user/) });
  });
});

describe('check', () => {
  beforeEach(async () => {
    await app.database.pool.query('truncate auth_passkey');
    await app.database.pool.query(`update auth_account set second_factors = '{}'`);
  });

  /** The finding with a name, and the exit code. */
  async function check(name: string, variables: Record<string, string> = {}) {
    const { code, stdout } = await run(['check', '--json'], variables);
    const found = JSON.parse(stdout).checks.find((each: { name: string }) => each.name === name);
    return { code, status: found?.status, message: found?.message };
  }

  test('says whether passkeys were made for another domain than the app has now', async () => {
    const owners = [await createPasskeyOwner(app), await createPasskeyOwner(app)];
    const fine = { code: 0, status: 'ok', message: 'all passkeys were made for the domain of the app' };
    expect(await check('passkey-domain')).toEqual(fine);
    const remedy = 'set JWT_ALLAUTH_PASSKEY_RP_ID to the earlier domain, or let these users add new passkeys';
    const moved = { JWT_ALLAUTH_PUBLIC_URL: 'http://login.test' };
    expect(await check('passkey-domain', moved)).toEqual({
      code: 1,
      status: 'failed',
      message: `2 of 2 passkeys were made for accounts.test, and do not work for the domain of the app: ${remedy}`,
    });
    const change = 'update auth_passkey set rp_id = $2 where user_id = $1';
    await app.database.pool.query(change, [owners[0]?.id, 'login.test']);
    expect(await check('passkey-domain', moved)).toEqual({
      code: 0,
      status: 'warning',
      message: `1 of 2 passkeys were made for accounts.test, and do not work for the domain of the app: ${remedy}`,
    });
    await app.database.pool.query('update auth_passkey set disabled_at = now() where user_id = $1', [owners[1]?.id]);
    expect(await check('passkey-domain', moved)).toMatchObject({ status: 'ok', message: fine.message });
  });

  test('fails if the states of accounts and the stored passkeys do not agree, and names users', async () => {
    const [deleted, added] = [await createPasskeyOwner(app), await createPasskeyOwner(app)];
    const agreed = { code: 0, status: 'ok', message: 'the states of accounts agree with the stored passkeys' };
    expect(await check('passkey-accounts')).toEqual(agreed);
    await app.database.pool.query('delete from auth_passkey where user_id = $1', [deleted.id]);
    const lost =
      `the account state of 1 user (${deleted.id}) names passkeys that are not stored, and their sign-ins can fail: ` +
      'reset these users with `jwt-allauth passkeys reset`';
    expect(await check('passkey-accounts')).toEqual({ code: 1, status: 'failed', message: lost });
    await app.database.pool.query(`update auth_account set second_factors = '{}' where user_id = $1`, [added.id]);
    const unnamed =
      `the account state of 1 user (${added.id}) does not name their passkeys, and sign-ins do not ask for them: ` +
      'let these users remove a passkey and add it again, or reset them with `jwt-allauth passkeys reset`';
    expect((await check('passkey-accounts')).message).toBe(`${lost}; ${unnamed}`);
    for (const { id } of [deleted, added]) expect(await app.auth.passkeys.reset(id)).toBe(true);
    expect(await check('passkey-accounts')).toEqual(agreed);
  });

  test('names the first five users of a fault', async () => {
    const owners = [];
    for (let count = 0; count < 6; count++) owners.push((await createPasskeyOwner(app)).id);
    await app.database.pool.query('truncate auth_passkey');
    const { message } = await check('passkey-accounts');
    expect(message).toContain(`6 users (${owners.sort().slice(0, 5).join(', ')}, …) names passkeys`);
  });
});
