import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codesModule, codesOf, entitiesWith } from '../support/codes.module.js';
import { createPerson, type Person } from '../support/person.js';
import { kernelOf, pinsModule } from '../support/pins.module.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

let app: TestApp;
let withoutRoutes: TestApp;
beforeAll(async () => {
  const create = (auth: object) =>
    createTestApp({ orm: { entities: entitiesWith(codesModule(), pinsModule()) }, auth });
  app = await create({});
  withoutRoutes = await create({ routes: { pins: false } });
});
afterAll(() => Promise.all([app.close(), withoutRoutes.close()]));

const give = ({ id }: Person, { database }: TestApp) =>
  database.pool.query(`insert into test_pin (user_id, pin) values ($1, 'p')`, [id]);
const inTransaction = <T>({ auth }: TestApp, work: (em: never) => Promise<T>) =>
  kernelOf(auth).database.transaction((em) => work(em as never));
const isOneLeft = ({ id }: Person, of: TestApp) =>
  inTransaction(of, (em) => kernelOf(of.auth).signInMethods.assertOneLeft(id, em)).then(
    () => true,
    (error) => error.code,
  );

describe('the check that a user can still sign in', () => {
  const LAST = 'last_sign_in_method';
  test.each([
    ['passes with a password', {}, false, true],
    ['passes without a password, with a pin', { passwordHash: null }, true, true],
    ['fails without a password and a pin, where no mail can reset the password', { passwordHash: null }, false, LAST],
  ])('%s', async (_, account, hasPin, expected) => {
    const person = await createPerson(app, account);
    if (hasPin) await give(person, app);
    expect(await isOneLeft(person, app)).toBe(expected);
  });

  test('does not count methods whose routes the app has switched off', async () => {
    const person = await createPerson(withoutRoutes, { passwordHash: null });
    await give(person, withoutRoutes);
    expect(await isOneLeft(person, withoutRoutes)).toBe(LAST);
  });
});

test('what was set up since a change of the address can be removed, and nothing older', async () => {
  const [person, other] = [await createPerson(app), await createPerson(app)];
  const since = new Date(app.clock.now());
  const sql = 'insert into test_pin (user_id, pin, set_at) values ($1, $2, $3)';
  for (const { id } of [person, other])
    for (const [pin, at] of [
      ['older', since.getTime() - 1],
      ['newer', since.getTime()],
    ] as const)
      await app.database.pool.query(sql, [id, pin, new Date(at)]);
  await inTransaction(app, (em) =>
    kernelOf(app.auth).signInMethods.removeSince(person.id, { since, hadSecondFactor: false }, em),
  );
  const pins = async ({ id }: Person) =>
    (await app.database.pool.query('select pin from test_pin where user_id = $1 order by pin', [id])).rows;
  expect([await pins(person), await pins(other)]).toEqual([[{ pin: 'older' }], [{ pin: 'newer' }, { pin: 'older' }]]);
});

describe('the proof of a mailbox', () => {
  const stateOf = async ({ id, live }: Person) => ({
    user: (
      await app.database.pool.query(
        'select email_verified, password_hash is null as none from app_user where id = $1',
        [id],
      )
    ).rows,
    pins: (await app.database.pool.query('select 1 from test_pin where user_id = $1', [id])).rows.length,
    live: (await live()).length,
  });
  const accept = async ({ id }: Person) => {
    const user = await kernelOf(app.auth).users.findById(id);
    return inTransaction(app, async (em) => user && kernelOf(app.auth).mailboxProofs.accept(user, em));
  };

  test('takes back an account whose address was never proved: it removes password, sessions and pins', async () => {
    const person = await createPerson(app, { emailVerified: false });
    await give(person, app);
    await app.client().login(person.email);
    const before = await kernelOf(app.auth).users.findById(person.id);
    expect(await accept(person)).toMatchObject({ emailVerified: true, passwordHash: null });
    expect(await stateOf(person)).toEqual({ user: [{ email_verified: true, none: true }], pins: 0, live: 0 });
    expect((await kernelOf(app.auth).users.findById(person.id))?.credentialEpoch).toBe(
      (before?.credentialEpoch ?? 0) + 1,
    );
  });

  test('changes nothing of a user whose address is confirmed', async () => {
    const person = await createPerson(app);
    await give(person, app);
    await app.client().login(person.email);
    expect(await accept(person)).toMatchObject({ emailVerified: true, passwordHash: expect.any(String) });
    expect(await stateOf(person)).toEqual({ user: [{ email_verified: true, none: false }], pins: 1, live: 1 });
  });

  test('does not revive a deactivated user', async () => {
    const person = await createPerson(app, { emailVerified: false, isActive: false });
    await expect(accept(person)).rejects.toMatchObject({ code: 'no_active_account' });
    expect((await stateOf(person)).user).toEqual([{ email_verified: false, none: false }]);
    expect(codesOf(app.auth)).toBeDefined();
  });
});
