import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { totpModule } from '../../../src/features/totp/index.js';
import { codesModule, entitiesWith } from '../../support/codes.module.js';
import { ENCRYPTION_KEY } from '../../support/encryption-key.js';
import { challengeFor, createTotpOwners, liveSessionsOf, type TotpOwner } from '../../support/factor-owners.js';
import { claimsOf, raceAll } from '../../support/race.js';
import { startServerProcess } from '../../support/server-process.js';
import { createTestApp, SECRET, type TestApp } from '../../support/test-app.js';
import { type Answer, TestClient } from '../../support/test-client.js';

/**
 * Rounds of each race. More find nothing else: 250 of each were run on one process and on two (30 November 2026). The
 * 250 rounds of the same code and the same locks with the tests' own factor are in `second-factor-races.test.ts`.
 */
const ROUNDS = 60;
const ROUNDS_ON_ONE = 25;
const ROUNDS_OF_ONE_CODE = 50;
/** Rounds that run at once. Each holds two connections. */
const BATCH = 5;

let app: TestApp;
/** Another process, on the same database. */
let server: Awaited<ReturnType<typeof startServerProcess>>;
beforeAll(async () => {
  app = await createTestApp({
    settings: { oldPasswordFieldEnabled: false },
    orm: { entities: entitiesWith(codesModule(), totpModule) },
  });
  const settings = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, development: true };
  server = await startServerProcess(app.database.appUrl, settings, { hasFactors: true });
});
afterAll(async () => {
  await server.stop();
  await app.close();
});

const onThis = () => app.client();
const onOther = () => new TestClient(server.url, 'cookie', 'refresh_token');

const verify = (client: TestClient, challenge: string, code: string): Promise<Answer> =>
  client.send('POST', '/auth/mfa/verify', { challenge, code });

/** What an answer to a challenge was: `tokens`, or the code of the refusal. */
const outcomeOf = ({ body }: Answer): string => body.code ?? 'tokens';

/** Runs work with new users, in batches. The clocks of both processes must agree. */
async function inBatches(rounds: number, work: (owners: readonly TotpOwner[]) => Promise<void>): Promise<void> {
  for (let round = 0; round < rounds; round += BATCH) {
    app.clock.set(new Date());
    await work(await createTotpOwners(app, BATCH));
  }
}

/** A change that makes challenges invalid. @returns the user's sessions that must be live after it */
type Change = () => Promise<string[]>;

const CHANGES: [what: string, prepare: (id: string) => Promise<Change>][] = [
  [
    'the reset of the factor',
    async (id) => async () => {
      expect(await app.auth.mfa.reset(id)).toBe(true);
      return [];
    },
  ],
  ['a deactivation', async (id) => () => app.auth.deactivation.deactivate(id).then(() => [])],
  [
    'a change of the password',
    async (id) => {
      const { access } = await app.auth.sessions.open({ id }, { amr: ['pwd', 'otp', 'mfa'] });
      return async () => {
        const { status, body } = await Object.assign(app.client(), { access }).changePassword('', 'another sentence');
        expect(status).toBe(200);
        return [claimsOf(body.access).session];
      };
    },
  ],
];

/** A round that is ready to start. */
interface Round extends TotpOwner {
  readonly challenge: string;
  readonly change: Change;
}

/** Forces the order of code and change, in all rounds at once. @returns what the codes opened, and what is live */
async function play(isFirst: boolean, rounds: readonly Round[], client: () => TestClient) {
  const ids = rounds.map(({ id }) => id);
  const of = <T>(work: (round: Round) => Promise<T>) => ids.map((_id, at) => () => work(rounds[at] as Round));
  const codes = of(({ challenge, code }) => verify(client(), challenge, code));
  const changes = of(({ change }) => change());
  const users = { table: 'app_user', ids };
  const pairs = isFirst
    ? await raceAll(app, users, codes, changes)
    : (await raceAll(app, users, changes, codes)).map(([rest, answer]) => [answer, rest] as const);
  const rest = pairs.map(([, sessions]) => sessions);
  return { outcomes: pairs.map(([answer]) => outcomeOf(answer)), rest, live: await liveSessionsOf(app, ids) };
}

describe.each([
  ['one process', onThis, ROUNDS_ON_ONE],
  ['two processes', onOther, ROUNDS],
] as const)('on %s, a right code of an authenticator app and', (_where, client, count) => {
  describe.each(CHANGES)('%s', (_what, prepare) => {
    test.each([
      ['first', 'tokens'],
      ['second', 'challenge_not_valid'],
    ])(`leave no session that the code has opened, with the code %s, ${count} times`, async (at, outcome) => {
      await inBatches(count, async (owners) => {
        const ready = async (owner: TotpOwner): Promise<Round> => {
          const challenge = await challengeFor(app, owner.id);
          return { ...owner, challenge, change: await prepare(owner.id) };
        };
        const rounds = await Promise.all(owners.map(ready));
        const { outcomes, rest, live } = await play(at === 'first', rounds, client);
        expect(outcomes).toEqual(owners.map(() => outcome));
        expect(live).toEqual(rest);
      });
    });
  });
});

test.each([
  ['one challenge', 1, 'challenge_not_valid'],
  ['two challenges', 2, 'code_not_valid'],
])(
  `on two processes, the same code for %s opens one session, ${ROUNDS_OF_ONE_CODE} times`,
  async (_what, count, refusal) => {
    await inBatches(ROUNDS_OF_ONE_CODE, async (owners) => {
      const pairs = await Promise.all(
        owners.map(async ({ id, code }) => {
          const challenges = [await challengeFor(app, id), await challengeFor(app, id)];
          const used = [challenges[0], challenges[count - 1]] as string[];
          return Promise.all([onThis(), onOther()].map((client, at) => verify(client, used[at] as string, code)));
        }),
      );
      for (const pair of pairs) expect(pair.map(outcomeOf).sort()).toEqual([refusal, 'tokens']);
      const sessions = await liveSessionsOf(
        app,
        owners.map(({ id }) => id),
      );
      expect(sessions.map(({ length }) => length)).toEqual(owners.map(() => 1));
    });
  },
);
