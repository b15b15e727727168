import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { tokensOf } from '../../src/index.js';
import { authError } from '../../src/module-kit.js';
import { codesModule, codesOf, entitiesWith } from '../support/codes.module.js';
import { challengeBy, createPerson, type Person } from '../support/person.js';
import { kernelOf, pinsModule } from '../support/pins.module.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

let duringCompletion: () => Promise<void>;
let app: TestApp;
beforeAll(async () => {
  const pins = pinsModule({ duringCompletion: () => duringCompletion() });
  app = await createTestApp({ orm: { entities: entitiesWith(codesModule(), pins) } });
});
afterAll(() => app.close());
beforeEach(() => {
  duringCompletion = async () => {};
});

const kernel = () => kernelOf(app.auth);
const pinsOf = async ({ id }: Person) =>
  (await app.database.pool.query('select pin from test_pin where user_id = $1', [id])).rows.map(({ pin }) => pin);
const epochOf = async ({ id }: Person) => (await kernel().users.findById(id))?.credentialEpoch;

/** A sign-in with the completion, up to its transaction. */
async function begin({ id }: Person, name = 'pin') {
  const user = await kernel().users.findById(id);
  if (!user) throw new Error('no such user');
  const signIn = await kernel().signIn.begin({ user, amr: ['pin'], completion: { name, data: { pin: 'p1' } } });
  const finish = async () =>
    tokensOf(
      await kernel().database.transaction(async (em) => signIn.decide({ ...user, passwordHash: undefined }, em)),
    );
  return { signIn, user, finish };
}
const signIn = async (person: Person) => (await begin(person)).finish();

describe('work that belongs to a sign-in', () => {
  test('is done with the session of a user without a second factor', async () => {
    const person = await createPerson(app);
    const { access } = await signIn(person);
    expect(access).toMatch(/^ey/);
    expect([await pinsOf(person), (await person.live()).length]).toEqual([['p1'], 1]);
  });

  test('is not done while the second factor is missing, and is done once with the answer to the challenge', async () => {
    const person = await createPerson(app);
    await codesOf(app.auth).give(person.id, ['c1']);
    const challenge = await challengeBy(() => signIn(person));
    expect([await pinsOf(person), await person.live()]).toEqual([[], []]);
    const verify = (code: string) => app.client().send('POST', '/auth/codes/verify', { challenge, code });
    expect((await verify('wrong')).status).toBe(400);
    expect([await pinsOf(person), await person.live()]).toEqual([[], []]);
    expect((await verify('c1')).status).toBe(200);
    expect([await pinsOf(person), (await person.live()).length]).toEqual([['p1'], 1]);
    expect((await verify('c1')).status).toBe(401);
    expect(await pinsOf(person)).toEqual(['p1']);
  });

  test('that throws leaves no session and no data, and the challenge stays valid', async () => {
    duringCompletion = async () => {
      throw authError('permission_denied');
    };
    const [plain, guarded] = [await createPerson(app), await createPerson(app)];
    await codesOf(app.auth).give(guarded.id, ['c1']);
    await expect(signIn(plain)).rejects.toMatchObject({ code: 'permission_denied' });
    const challenge = await challengeBy(() => signIn(guarded));
    const answer = await app.client().send('POST', '/auth/codes/verify', { challenge, code: 'c1' });
    expect(answer.body.code).toBe('permission_denied');
    for (const person of [plain, guarded]) expect([await pinsOf(person), await person.live()]).toEqual([[], []]);
    expect(await guarded.challenges()).toMatchObject([{ attempts: 0 }]);
  });

  test('that raises the credential epoch ends every sign-in that began before, except its own', async () => {
    const person = await createPerson(app);
    const [first, second] = [await begin(person), await begin(person)];
    await first.finish();
    await expect(second.finish()).rejects.toMatchObject({ code: 'incorrect_credentials' });
    expect([await pinsOf(person), (await person.live()).length]).toEqual([['p1'], 1]);
  });

  test('is not done if the credentials have changed since the user authenticated', async () => {
    const person = await createPerson(app);
    const { finish } = await begin(person);
    await kernel().database.transaction((em) => kernel().accounts.recordCredentialChange(person.id, em));
    await expect(finish()).rejects.toMatchObject({ code: 'incorrect_credentials' });
    expect([await pinsOf(person), await person.live()]).toEqual([[], []]);
  });

  test('throws without a transaction, and without a module that does it', async () => {
    const person = await createPerson(app);
    const { signIn: withoutTransaction, user } = await begin(person);
    await expect(withoutTransaction.complete(user)).rejects.toThrow(TypeError);
    await expect((await begin(person, 'unknown')).finish()).rejects.toThrow(TypeError);
    expect([await pinsOf(person), await person.live()]).toEqual([[], []]);
  });
});

describe('an admitted sign-in', () => {
  const admit = async (person: Person) => {
    const { signIn: begun, user } = await begin(person);
    return kernel().database.transaction((em) => begun.admit(user, em));
  };

  test('has done its work and opened no session, and a later sign-in with its credential epoch opens one', async () => {
    const person = await createPerson(app);
    const admission = await admit(person);
    if (!('admitted' in admission)) throw new Error('it was challenged');
    expect([await pinsOf(person), await person.live()]).toEqual([['p1'], []]);
    expect(admission.admitted.credentialEpoch).toBe(await epochOf(person));
    await kernel().signIn.signIn({ user: admission.admitted, amr: ['pin'] });
    expect(await person.live()).toHaveLength(1);
  });

  test('opens no session after a change of the credentials', async () => {
    const person = await createPerson(app);
    const admission = await admit(person);
    if (!('admitted' in admission)) throw new Error('it was challenged');
    await kernel().database.transaction((em) => kernel().accounts.recordCredentialChange(person.id, em));
    const late = kernel().signIn.signIn({ user: admission.admitted, amr: ['pin'] });
    await expect(late).rejects.toMatchObject({ code: 'incorrect_credentials' });
    expect(await person.live()).toEqual([]);
  });

  test('of a user with a second factor returns a challenge, and does no work', async () => {
    const person = await createPerson(app);
    await codesOf(app.auth).give(person.id, ['c1']);
    expect(await admit(person)).toHaveProperty('challenge');
    expect([await pinsOf(person), await person.live()]).toEqual([[], []]);
  });
});
