import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { magicLinkModule } from '../../../src/features/magic-link/index.js';
import { codesModule, codesOf, entitiesWith } from '../../support/codes.module.js';
import { COOKIE, codeIn, createMagicLinkApp, type MagicLinkApp, wrong } from '../../support/magic-link-app.js';
import { createPerson, type Person } from '../../support/person.js';

const LIFETIME_SECONDS = 600;

/** A request as the model knows it. */
interface Request {
  readonly request: string;
  readonly key: string;
  readonly code: string;
  readonly at: number;
  wrongs: number;
  isUsed: boolean;
  /** The credentials of the user have changed since. */
  isOutdated: boolean;
}

/** One step. `which` chooses a request: 0 is the latest. */
type Step =
  | { readonly type: 'ask' | 'change credentials' }
  | { readonly type: 'wait'; readonly seconds: number }
  | { readonly type: 'code' | 'wrong code' | 'foreign code' | 'open' | 'link' | 'button'; readonly which: number };

const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ type: fc.constant('ask' as const) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('change credentials' as const) }) },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant('wait' as const), seconds: fc.constantFrom(1, 299, 300, 600) }),
    },
    {
      weight: 12,
      arbitrary: fc.record({
        type: fc.constantFrom('code', 'wrong code', 'wrong code', 'foreign code', 'open', 'link', 'button' as const),
        which: fc.constantFrom(0, 0, 0, 1, 2),
      }),
    },
  ),
  { minLength: 3, maxLength: 14 },
);

let app: MagicLinkApp;
beforeAll(async () => {
  app = await createMagicLinkApp({}, { orm: { entities: entitiesWith(magicLinkModule, codesModule()) } });
});
afterAll(() => app.close());

/** Asks for a mail, and reads it as soon as it is written. */
async function ask({ email }: Person): Promise<Request> {
  app.sink.mails.splice(0);
  const { body } = await app.ask(email);
  await codesOf(app.auth).kernel.backgroundJobs.runPending();
  const [mail] = await app.mailsTo(email);
  const key = /magic-link\/(\S+)/.exec(mail?.text ?? '')?.[1] ?? '';
  return {
    request: body.request,
    key,
    code: codeIn(mail?.text ?? ''),
    at: app.clock.now(),
    wrongs: 0,
    isUsed: false,
    isOutdated: false,
  };
}

/** Runs a step on the app. @returns whether it signed in; for `open`, whether the link was shown as usable */
async function run(step: Step, made: Request, person: Person): Promise<boolean> {
  const cookie = `${COOKIE}=${made.key}`;
  if (step.type === 'code') return (await app.verify({ request: made.request, code: made.code })).status === 200;
  if (step.type === 'wrong code')
    return (await app.verify({ request: made.request, code: wrong(made.code) })).status === 200;
  if (step.type === 'foreign code')
    return (await app.verify({ request: 'x'.repeat(43), code: made.code })).status === 200;
  if (step.type === 'open') return (await app.open(`${app.url}/auth/magic-link/${made.key}`)).status === 200;
  if (step.type === 'link') return (await app.signIn(cookie)).status === 200;
  const before = (await person.live()).length;
  await app.press(cookie);
  return (await person.live()).length > before;
}

test('link and code sign in exactly when the model says so', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (walk) => {
      const person = await createPerson(app);
      let requests: Request[] = [];
      let opened = 0;
      let wrongs = 0;
      for (const step of walk) {
        if (step.type === 'ask') requests.unshift(await ask(person));
        else if (step.type === 'wait') app.clock.advance(step.seconds);
        else if (step.type === 'change credentials') {
          const { database, accounts } = codesOf(app.auth).kernel;
          await database.transaction((em) => accounts.recordCredentialChange(person.id, em));
          requests = requests.map((each) => ({ ...each, isOutdated: true }));
        } else {
          const made = requests[step.which];
          if (!made) continue;
          const isAlive = app.clock.now() < made.at + LIFETIME_SECONDS * 1000;
          const isUsable = step.which === 0 && !made.isUsed && made.wrongs < 3 && isAlive;
          if (step.type === 'wrong code' && isUsable) {
            made.wrongs++;
            wrongs++;
          }
          // A right code that opens no session counts as a try.
          if (step.type === 'code' && isUsable && made.isOutdated) made.wrongs++;
          const signsIn = isUsable && !made.isOutdated && ['code', 'link', 'button'].includes(step.type);
          const result = await run(step, made, person);
          expect([step, result]).toEqual([step, signsIn || (step.type === 'open' && isUsable)]);
          if (signsIn) {
            made.isUsed = true;
            opened++;
          }
        }
      }
      expect(wrongs).toBeLessThanOrEqual(20);
      expect((await person.live()).length).toBe(opened);
    }),
    { numRuns: 60 },
  );
});
