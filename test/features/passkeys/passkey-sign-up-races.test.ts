import type { EntityManager } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BaseUser, type NewUser, UserCreationService } from '../../../src/index.js';
import { ENCRYPTION_KEY } from '../../support/encryption-key.js';
import { type MailApp, PUBLIC_URL } from '../../support/mail-app.js';
import { sendSignUp, signUpOptions, userWith } from '../../support/passkey-sign-ups.js';
import { createPasskeysApp, newAuthenticator, withCredentialId } from '../../support/passkeys-app.js';
import { claimsOf } from '../../support/race.js';
import { startServerProcess } from '../../support/server-process.js';
import { SECRET } from '../../support/test-app.js';
import { TestClient } from '../../support/test-client.js';
import { waitForBlocked } from '../../support/test-database.js';

const ROUNDS = 10;
/** Sign-ups that run at once in a round. */
const BATCH = 10;

let app: MailApp;
let email: string;
const newAddress = () => `${crypto.randomUUID()}@example.com`;
beforeEach(() => {
  email = newAddress();
});

/** A sign-up that only has to be sent. */
async function prepare(address = email, credentialId?: string) {
  const credential = newAuthenticator().create(await signUpOptions(app.client(), { email: address }));
  return { email: address, credential: credentialId ? withCredentialId(credential, credentialId) : credential };
}
const send = (body: object) => sendSignUp(app.client(), body);

/** Starts some requests that wait for a lock of a transaction, ends it, and lets them continue. */
async function whileLocked<T>(lock: string, values: unknown[], requests: () => Promise<T>[], end = 'commit') {
  const holder = await app.database.pool.connect();
  let isDone = false;
  try {
    await holder.query('begin');
    await holder.query(lock, values);
    const answers = requests();
    await waitForBlocked(app.database.pool, answers.length);
    await holder.query(end);
    isDone = true;
    return await Promise.all(answers);
  } finally {
    holder.release(!isDone);
  }
}
const LOCK_ADDRESS = 'select pg_advisory_xact_lock(hashtextextended($1, 0))';
const codesOf = (answers: readonly { status: number; body: { code?: string } }[]) =>
  answers.map(({ status, body }) => [status, body.code]).sort();
const count = async (sql: string, ...values: unknown[]) => (await app.database.pool.query(sql, values)).rowCount;

/** Another request inserts a user with the address first. It deletes the user when the INSERT has failed. */
class RacedUsers extends UserCreationService {
  /** For each of the next INSERTs, whether the other user is deleted. */
  static races: boolean[] = [];

  override async create(newUser: NewUser, em: EntityManager): Promise<BaseUser> {
    const isDeleted = RacedUsers.races.shift();
    if (isDeleted === undefined) return super.create(newUser, em);
    await app.database.pool.query(INSERT_USER, [newUser.email]);
    try {
      return await super.create(newUser, em);
    } catch (error) {
      if (isDeleted) await app.database.pool.query('delete from app_user where email = $1', [newUser.email]);
      throw error;
    }
  }
}
const INSERT_USER = `insert into app_user (id, email, permissions) values (gen_random_uuid(), $1, '[]')`;

describe('two sign-ups at once', () => {
  beforeAll(async () => {
    app = await createPasskeysApp({ registrationRateLimit: 'off' }, { auth: { services: [RacedUsers] } });
  });
  afterAll(() => app.close());

  test('for one address make one user with one passkey', async () => {
    const [one, other] = [await prepare(), await prepare()];
    const answers = await whileLocked(LOCK_ADDRESS, [email], () => [send(one), send(other)]);
    expect(codesOf(answers)).toEqual([
      [201, undefined],
      [409, 'email_already_registered'],
    ]);
    const { id } = await userWith(app, email);
    expect(await count('select 1 from auth_passkey where user_id = $1', id)).toBe(1);
  });

  test.each([
    ['commit', 409],
    ['rollback', 201],
  ])('of which one has a password wait for it: after its %s, the one with a passkey gets %i', async (end, status) => {
    const body = await prepare();
    const [answer] = await whileLocked(INSERT_USER, [email], () => [send(body)], end);
    expect(answer?.status).toBe(status);
    expect(await count('select 1 from app_user where email = $1', email)).toBe(1);
  });

  test.each([
    ['is signed up if that user is deleted at once', [true], 201, undefined],
    ['is refused if the second INSERT meets another user', [true, false], 409, 'email_already_registered'],
  ])('of which one has a password comes first: the person %s', async (_what, races, status, code) => {
    const body = await prepare();
    RacedUsers.races = [...races];
    expect(codesOf([await send(body)])).toEqual([[status, code]]);
    expect(await count('select 1 from app_user where email = $1', email)).toBe(1);
  });

  test('with one response make one user', async () => {
    const body = await prepare();
    const answers = await whileLocked(LOCK_ADDRESS, [email], () => [send(body), send(body)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(await count('select 1 from app_user where email = $1', email)).toBe(1);
  });

  test('with the same passkey for two addresses make one user', async () => {
    const [second, id] = [newAddress(), Buffer.from(crypto.randomUUID().slice(0, 32)).toString('base64url')];
    const [one, other] = [await prepare(email, id), await prepare(second, id)];
    const lock = 'lock table auth_passkey in exclusive mode';
    const answers = await whileLocked(lock, [], () => [send(one), send(other)]);
    expect(codesOf(answers)).toEqual([
      [201, undefined],
      [409, 'passkey_already_registered'],
    ]);
    expect(await count('select 1 from app_user where email = any($1)', [email, second])).toBe(1);
  });
});

describe('two sign-ups at once under EMAIL_VERIFICATION=mandatory', () => {
  beforeAll(async () => {
    app = await createPasskeysApp({ registrationRateLimit: 'off', emailVerification: 'mandatory' });
  });
  afterAll(() => app.close());

  test('lock the address first: one that waits for it has not used its response', async () => {
    const body = await prepare();
    const used = `select from pg_locks where relation = 'auth_used_passkey_challenge'::regclass`;
    const assertUnused = `do $$ begin assert not exists (${used}); end $$`;
    const [answer] = await whileLocked(LOCK_ADDRESS, [email], () => [send(body)], `${assertUnused}; commit`);
    expect(answer?.status).toBe(201);
  });

  test('with one response store one sign-up, with one mail', async () => {
    const body = await prepare();
    const lock = 'lock table auth_used_passkey_challenge in exclusive mode';
    const answers = await whileLocked(lock, [], () => [send(body), send(body)]);
    expect(codesOf(answers)).toEqual([
      [201, undefined],
      [400, 'passkey_not_valid'],
    ]);
    expect(await count('select 1 from auth_pending_sign_up where email = $1', email)).toBe(1);
  });

  test('with the same passkey for two addresses: the link that is opened second makes no user', async () => {
    const [second, id] = [newAddress(), Buffer.from(crypto.randomUUID().slice(0, 32)).toString('base64url')];
    for (const address of [email, second]) expect((await send(await prepare(address, id))).status).toBe(201);
    expect((await app.open(await app.linkTo(email))).status).toBe(200);
    const refused = await app.open(await app.linkTo(second));
    expect([refused.status, refused.headers.get('content-type')]).toEqual([409, 'text/html; charset=utf-8']);
    expect(await userWith(app, second)).toBeUndefined();
    expect(await count('select 1 from auth_pending_sign_up where email = $1', second)).toBe(1);
  });

  test('whose links are opened at once make one user, with the passkey of one of them', async () => {
    for (const which of [1, 2]) {
      await send(await prepare());
      await app.mailsTo(email, which);
    }
    const links = (await app.mailsTo(email, 2)).map(({ text }) => /http:\S+/.exec(text ?? '')?.[0] ?? '');
    const answers = await whileLocked(LOCK_ADDRESS, [email], () => links.map((link) => app.open(link)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
    const { id } = await userWith(app, email);
    expect(await count('select 1 from auth_passkey where user_id = $1', id)).toBe(1);
  });
});

describe('on two servers', () => {
  let server: Awaited<ReturnType<typeof startServerProcess>>;
  beforeAll(async () => {
    const settings = {
      emailVerification: 'none',
      registrationRateLimit: 'off',
      encryptionKeys: ENCRYPTION_KEY,
    } as const;
    app = await createPasskeysApp(settings);
    const own = { ...settings, publicUrl: PUBLIC_URL, passkeyRateLimit: 'off', secretKey: SECRET, development: true };
    server = await startServerProcess(app.database.appUrl, own, { hasPasskeys: true });
  });
  afterAll(async () => {
    await server.stop();
    await app.close();
  });

  const sendTo = (at: number, body: object) =>
    sendSignUp(new TestClient(at % 2 === 0 ? app.url : server.url, 'cookie', 'refresh_token'), body);

  test(`of two sign-ups for one address and a repeated one, one makes the user, ${ROUNDS * BATCH} times`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const pairs = await Promise.all(
        Array.from({ length: BATCH }, async () => {
          const address = newAddress();
          return [await prepare(address), await prepare(address)] as const;
        }),
      );
      const answers = await Promise.all(
        pairs.map(([one, other], at) => Promise.all([sendTo(at, one), sendTo(at + 1, other), sendTo(at + 1, one)])),
      );
      for (const [at, each] of answers.entries()) {
        const won = each.filter(({ status }) => status === 201);
        expect(won).toHaveLength(1);
        for (const { status } of each.filter((answer) => answer !== won[0])) expect([400, 409]).toContain(status);
        const user = await userWith(app, pairs[at]?.[0].email ?? '');
        expect(claimsOf(won[0]?.body.access).sub).toBe(user.id);
        expect(await count('select 1 from auth_passkey where user_id = $1', user.id)).toBe(1);
        expect(await count('select 1 from auth_session where user_id = $1 and enabled', user.id)).toBe(1);
      }
    }
  });
});
