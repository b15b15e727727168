import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RefreshToken } from '../../src/index.js';
import { claimsOf, createOwner, type Owner } from '../support/race.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { Answer, TestClient } from '../support/test-client.js';
import { AppRefreshToken } from '../support/users.js';

/** Seconds, as in the settings of the app below. */
const IDLE = 100;
const ABSOLUTE = 250;
const GRACE = 10;

interface ModelToken {
  readonly iat: number;
  readonly exp: number;
}

/** A session as in contract §3: generations of tokens, of which the last is the live one. */
interface ModelSession {
  readonly openedAt: number;
  readonly tokens: ModelToken[];
  isEnabled: boolean;
}

/** The rules, without a database, a signature or a race. */
class Model {
  readonly sessions: ModelSession[] = [];
  isActive = true;
  now = 0;

  open(): void {
    const exp = this.now + Math.min(IDLE, ABSOLUTE);
    this.sessions.push({ openedAt: this.now, tokens: [{ iat: this.now, exp }], isEnabled: true });
  }

  /** The outcome of using one generation of a session: a code, or the generation in the answer. */
  refresh(session: ModelSession, generation: number): string | number {
    const token = session.tokens[generation] as ModelToken;
    const live = session.tokens.at(-1) as ModelToken;
    const deadline = session.openedAt + ABSOLUTE;
    if (this.now >= deadline) {
      session.isEnabled = false;
      return 'session_expired';
    }
    if (this.now >= token.exp || !session.isEnabled) return 'token_not_valid';
    if (!this.isActive) {
      for (const each of this.sessions) each.isEnabled = false;
      return 'token_not_valid';
    }
    if (token === live) {
      session.tokens.push({ iat: this.now, exp: Math.min(this.now + IDLE, deadline) });
      return session.tokens.length - 1;
    }
    if (generation === session.tokens.length - 2 && this.now - live.iat <= GRACE) return session.tokens.length - 1;
    session.isEnabled = false;
    return 'refresh_token_reused';
  }

  /** Logging out requires a token that has not expired, of any generation. */
  logout(session: ModelSession, generation: number): number {
    if (this.now >= (session.tokens[generation] as ModelToken).exp) return 401;
    session.isEnabled = false;
    return 204;
  }

  get live(): number {
    return this.sessions.filter(({ isEnabled, tokens }) => isEnabled && (tokens.at(-1) as ModelToken).exp > this.now)
      .length;
  }
}

/** The app, with every token that it ever issued. */
interface Real {
  readonly app: TestApp;
  readonly owner: Owner;
  readonly tokens: string[][];
}

type Command = fc.AsyncCommand<Model, Real>;

async function assertSame(model: Model, { owner }: Real): Promise<void> {
  expect(await owner.live()).toBe(model.live);
}

/** A step that can happen at any time. */
function step(name: string, run: (model: Model, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real);
      await assertSame(model, real);
    },
    toString: () => name,
  };
}

/** A step that needs a session: `at` and `back` choose one of its tokens, of any generation. */
function tokenStep(
  name: string,
  { at, back }: { at: number; back: number },
  run: (model: Model, real: Real, chosen: { session: number; generation: number }) => Promise<void>,
): Command {
  return {
    ...step(`${name}(${at}, ${back})`, async (model, real) => {
      const session = at % model.sessions.length;
      const generations = (model.sessions[session] as ModelSession).tokens.length;
      await run(model, real, { session, generation: generations - 1 - (back % generations) });
    }),
    check: (model) => model.sessions.length > 0,
  };
}

const choice = fc.record({ at: fc.nat(5), back: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.nat(4)) });

function present({ app, tokens }: Real, chosen: { session: number; generation: number }): TestClient {
  return Object.assign(app.client(), { refreshToken: tokens[chosen.session]?.[chosen.generation] });
}

function assertRefreshed(answer: Answer, expected: string | number, model: ModelSession, known: string[]): void {
  if (typeof expected === 'string') {
    expect([answer.status, answer.body.code, answer.cookie]).toEqual([401, expected, undefined]);
    return;
  }
  const token = answer.cookie?.value ?? '';
  expect(answer.status).toBe(200);
  if (known[expected]) expect(claimsOf(token)).toEqual(claimsOf(known[expected]));
  else expect(known.map((each) => claimsOf(each).jti)).not.toContain(claimsOf(token).jti);
  known[expected] = token;
  const { iat, exp } = claimsOf(token);
  expect(exp - iat).toBe((model.tokens[expected] as ModelToken).exp - (model.tokens[expected] as ModelToken).iat);
}

const commands = [
  fc.constant(
    step('login', async (model, real) => {
      if (!model.isActive) return;
      model.open();
      real.tokens.push([(await real.owner.another()).refreshToken]);
    }),
  ),
  choice.map((chosen) =>
    tokenStep('refresh', chosen, async (model, real, which) => {
      const session = model.sessions[which.session] as ModelSession;
      const expected = model.refresh(session, which.generation);
      assertRefreshed(await present(real, which).refresh(), expected, session, real.tokens[which.session] as string[]);
    }),
  ),
  choice.map((chosen) =>
    tokenStep('logout', chosen, async (model, real, which) => {
      const expected = model.logout(model.sessions[which.session] as ModelSession, which.generation);
      expect((await present(real, which).logout()).status).toBe(expected);
    }),
  ),
  fc.constantFrom(1, 5, 9, 10, 11, 60, 99, 100, 150).map((seconds) =>
    step(`wait(${seconds})`, async (model, { app }) => {
      model.now += seconds;
      app.clock.advance(seconds);
    }),
  ),
  fc.constantFrom(true, false).map((isActive) =>
    step(isActive ? 'reactivate' : 'set inactive', async (model, { app, owner }) => {
      model.isActive = isActive;
      await app.database.pool.query('update app_user set is_active = $1 where id = $2', [isActive, owner.id]);
    }),
  ),
  fc.constant(
    step('deactivate', async (model, { app, owner }) => {
      model.isActive = false;
      for (const session of model.sessions) session.isEnabled = false;
      await app.auth.deactivation.deactivate(owner.id);
    }),
  ),
  fc.constant(
    step('logout of everything', async (model, { app, owner }) => {
      for (const session of model.sessions) session.isEnabled = false;
      await app.auth.sessions.revokeAll(owner.id);
    }),
  ),
];

describe.each([AppRefreshToken, RefreshToken])('the session table, with tokens of %o', (refreshToken) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({
      settings: { refreshToken, refreshTokenLifetime: IDLE, sessionLifetime: ABSOLUTE, refreshReuseGrace: GRACE },
    });
  });
  afterAll(() => app.close());

  test('behaves like the model of its rules in every sequence of steps', async () => {
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 40, size: 'max' }), async (steps) => {
        const owner = await createOwner(app);
        const model = new Model();
        model.open();
        const real = { app, owner, tokens: [[owner.client.refreshToken]] };
        await fc.asyncModelRun(() => ({ model, real }), steps);
      }),
      { numRuns: 150 },
    );
  });
});
