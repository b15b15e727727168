import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codesModule, codesOf, entitiesWith } from '../support/codes.module.js';
import { challengeFor, createFactorOwners, liveSessionsOf } from '../support/factor-owners.js';
import { claimsOf, race } from '../support/race.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';

const NEW = 'another sentence of some length';
/** Rounds of each race in any order, and how many of them run at once. */
const ROUNDS = 250;
const BATCH = 5;

let app: TestApp;
let hooked: TestApp;
/** Without a hook, an answer has one transaction, which a test can force to be first. */
let plain: TestApp;
/** Runs after a sign-in has read the user, before it reads the factors. */
let atHook: (user: string) => Promise<void> = async () => {};
/** Runs after it has read the factors, before the challenge is stored. */
let atChallenge: (user: string) => Promise<void> = async () => {};
beforeAll(async () => {
  const codes = codesModule({ atChallenge: (user) => atChallenge(user) });
  const create = (auth: TestAppOptions['auth']) =>
    createTestApp({ settings: { oldPasswordFieldEnabled: false }, orm: { entities: entitiesWith(codes) }, auth });
  hooked = await create({ hooks: { beforeSignIn: ({ user }) => atHook(String(user.id)) } });
  plain = await create({});
  app = hooked;
});
afterAll(() => Promise.all([hooked.close(), plain.close()]));

/** The right answer: `tokens`, or the code of the refusal. */
async function answer(challenge: string): Promise<string> {
  const { kernel } = codesOf(app.auth);
  return kernel.signIn.answer(challenge, codesOf(app.auth).proof('first'), {}).then(
    () => 'tokens',
    (error) => error.code ?? String(error),
  );
}

/** A change that makes challenges invalid: the user's sessions that must be live after it. */
type Change = () => Promise<string[]>;

/** Changes the password over HTTP, by a session with these methods. */
const changePassword =
  (amr: string[]) =>
  async (id: string): Promise<Change> => {
    const { access } = await app.auth.sessions.open({ id }, { amr });
    return async () => {
      const { status, body } = await Object.assign(app.client(), { access }).changePassword('', NEW);
      if (!amr.includes('mfa')) {
        expect([status, body.code]).toEqual([401, 'second_factor_required']);
        return [];
      }
      expect(status).toBe(200);
      return [claimsOf(body.access).session];
    };
  };

const CHANGES: [what: string, prepare: (id: string) => Promise<Change>][] = [
  [
    'the removal of the factor',
    async (id) => () =>
      codesOf(app.auth)
        .remove(id)
        .then(() => []),
  ],
  ['a deactivation', async (id) => () => app.auth.deactivation.deactivate(id).then(() => [])],
  ['a change of the password', changePassword(['pwd', 'otp', 'mfa'])],
  ['a change of the password by a session without the factor', changePassword(['pwd'])],
];

describe.each(CHANGES)('a right answer and %s', (_what, prepare) => {
  beforeAll(() => {
    app = plain;
  });
  afterAll(() => {
    app = hooked;
  });

  test.each([true, false])('leave no session that the factor has opened (answer first: %s)', async (isFirst) => {
    for (let round = 0; round < 3; round++) {
      const [id = ''] = await createFactorOwners(app, 1);
      const challenge = await challengeFor(app, id);
      const change = await prepare(id);
      const row = { table: 'app_user', id };
      const right = () => answer(challenge);
      const [answered, rest] = isFirst
        ? await race(app, row, right, change)
        : (await race(app, row, change, right)).reverse();
      expect(answered).toBe(isFirst ? 'tokens' : 'challenge_not_valid');
      expect(await liveSessionsOf(app, [id])).toEqual([rest]);
    }
  });
});

/** Replaces the password as a reset by mail does, without its mail. */
async function resetPassword(id: string): Promise<void> {
  const { database, users, accounts, sessions } = codesOf(app.auth).kernel;
  await database.transaction(async (em) => {
    expect(await users.setPassword(id, 'hash of another password', em)).toBe(true);
    await accounts.recordCredentialChange(id, em);
    await sessions.revokeAll(id, { em });
  });
}

test.each<[string, (id: string) => Promise<unknown>]>([
  ['the removal of the factor', (id) => codesOf(app.auth).remove(id)],
  ['a deactivation', (id) => app.auth.deactivation.deactivate(id)],
  ['a new password', resetPassword],
])(`a right answer and %s at once leave no session, ${ROUNDS} times`, async (_what, change) => {
  const seen = new Set<string>();
  for (let round = 0; round < ROUNDS; round += BATCH) {
    const ids = await createFactorOwners(app, BATCH);
    const challenges = await Promise.all(ids.map((id) => challengeFor(app, id)));
    const begun = new Map(ids.map((id) => [id, Promise.withResolvers<void>()]));
    atHook = async (user) => begun.get(user)?.resolve();
    const answers = ids.map(async (id, at) => {
      const answering = answer(challenges[at] as string);
      await begun.get(id)?.promise; // then its transaction follows
      for (let turn = 0; turn < ((round + at) % 25) * 12; turn++) await setImmediate();
      await change(id);
      return answering;
    });
    for (const outcome of await Promise.all(answers)) seen.add(outcome);
    atHook = async () => {};
    expect(await liveSessionsOf(app, ids)).toEqual(ids.map(() => []));
  }
  seen.delete('incorrect_credentials'); // of a user who is inactive at the hook already
  expect([...seen].sort()).toEqual(['challenge_not_valid', 'tokens']);
});

describe('a sign-in and a change of its factor', () => {
  test('open no session without the factor if it is set up at the same moment', async () => {
    const [id = ''] = await createFactorOwners(app, 1);
    await codesOf(app.auth).remove(id);
    const signIn = () => app.auth.signIn({ id }, { method: 'ticket' }).catch((error) => error);
    const setUp = () => codesOf(app.auth).give(id, ['new']);
    const [, refused] = await race(app, { table: 'app_user', id }, setUp, signIn);
    expect([refused.code, await liveSessionsOf(app, [id])]).toEqual(['incorrect_credentials', [[]]]);
  });

  test.each<[string, (id: string) => Promise<unknown>]>([
    ['the factor is removed', (id) => codesOf(app.auth).remove(id)],
    ['the factor is set up again', (id) => codesOf(app.auth).give(id, ['new'])],
    [
      'the user is deactivated and active again',
      async (id) => {
        await app.auth.deactivation.deactivate(id);
        await app.database.pool.query('update app_user set is_active = true where id = $1', [id]);
      },
    ],
  ])('give no valid challenge if, in the middle of the sign-in, %s', async (_what, change) => {
    for (const isEarly of [true, false]) {
      const [id = ''] = await createFactorOwners(app, 1);
      const changeOnce = async () => {
        atHook = async () => {};
        atChallenge = async () => {};
        await change(id);
      };
      if (isEarly) atHook = changeOnce;
      else atChallenge = changeOnce;
      const { challenge } = await app.auth.signIn({ id }, { method: 'ticket' }).catch((error) => error.toJSON());
      expect(await answer(challenge ?? 'none')).toBe('challenge_not_valid');
      expect(await liveSessionsOf(app, [id])).toEqual([[]]);
    }
  });
});
