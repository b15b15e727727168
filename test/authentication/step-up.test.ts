import type { IncomingMessage } from 'node:http';
import express from 'express';
import { Authorized, Get, JsonController, Post } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type AccessPredicate,
  type Authenticator,
  EmailVerified,
  Fresh,
  Principal,
  type PrincipalClaims,
  SecondFactor,
} from '../../src/index.js';
import { documentOf } from '../support/documented-app.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { countQueries } from '../support/query-count.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { Answer } from '../support/test-client.js';

const EDITOR = 700;
const isMember: AccessPredicate = (_, { query }) => query['member'] === 'yes';

@Service()
@JsonController('/step-up')
class StepUpController {
  @Authorized(Fresh('10m'))
  @Post('/fresh')
  fresh() {
    return { ran: 'fresh' };
  }

  @Authorized(Fresh(30))
  @Get('/seconds')
  seconds() {
    return { ran: 'seconds' };
  }

  @Authorized(SecondFactor)
  @Get('/factor')
  factor() {
    return { ran: 'factor' };
  }

  @Authorized([EDITOR, Fresh('10m'), EmailVerified, SecondFactor])
  @Get('/all')
  all() {
    return { ran: 'all' };
  }
}

@Service()
@Authorized([Fresh('1h'), isMember])
@JsonController('/desk-of-members')
class DeskController {
  @Authorized([EDITOR, SecondFactor])
  @Get('/')
  work() {
    return { ran: 'desk' };
  }
}

/** Authenticates each request with the claims in its header. */
class Claims implements Authenticator {
  async authenticate({ headers }: IncomingMessage): Promise<Principal | undefined> {
    const more = headers['x-claims'];
    if (typeof more !== 'string') return undefined;
    const claims: PrincipalClaims = { sub: '1', role: 0, email_verified: true, ...JSON.parse(more) };
    return new Principal(claims, 'foreign');
  }
}

/** Asserts that an answer asks for a newer or a stronger proof, as RFC 9470 says. */
function expectStepUp(answer: Answer, code: string, parameter: string, detail: string): void {
  expectProblemDetails(answer, 401, code);
  expect(answer.body.detail).toBe(detail);
  expect(answer.headers.get('www-authenticate')).toBe(
    `Bearer error="insufficient_user_authentication", ${parameter}, error_description="${detail}"`,
  );
  expect(answer.headers.get('cache-control')).toBe('no-store');
}

const expectStale = (answer: Answer, maxAge = 600) =>
  expectStepUp(answer, 'reauthentication_required', `max_age="${maxAge}"`, 'Authenticate again to do this.');

const expectNoFactor = (answer: Answer) =>
  expectStepUp(
    answer,
    'second_factor_required',
    'acr_values="mfa"',
    'This needs a second factor; authenticate again with it.',
  );

let app: TestApp;
const plain = express();
beforeAll(async () => {
  app = await createTestApp({
    own: plain,
    controllers: [StepUpController, DeskController],
    auth: { authenticators: [Claims] },
  });
  const { auth } = app;
  const answer: express.RequestHandler = ({ principal }, response) => {
    response.json({ authTime: principal?.authTime, amr: principal?.amr });
  };
  plain.get('/plain/fresh', auth.requireAuth(Fresh('10m')), answer);
  plain.get('/plain/factor', auth.requireAuth(EDITOR, SecondFactor), answer);
});
afterAll(() => app.close());

const now = () => Math.floor(app.clock.now() / 1000);

/** A client of a user with this role, who authenticated so many seconds ago by these methods. */
async function signedIn({ age = 0, amr = ['pwd'], role = EDITOR }: { age?: number; amr?: string[]; role?: number }) {
  const client = await app.signedUp();
  const { id } = await app.auth.authenticate(client.access);
  await app.database.pool.query('update app_user set role = $1, email_verified = true where id = $2', [role, id]);
  const tokens = await app.auth.sessions.open({ id }, { amr, authTime: now() - age });
  return Object.assign(client, { access: tokens.access, refreshToken: tokens.refresh });
}

describe('Fresh', () => {
  test('accepts a proof of exactly the allowed age, and refuses an older one', async () => {
    const client = await signedIn({ age: 600 });
    expect((await client.send('POST', '/step-up/fresh', undefined, client.bearer)).body).toEqual({ ran: 'fresh' });
    app.clock.advance(1);
    expectStale(await client.send('POST', '/step-up/fresh', undefined, client.bearer));
    expectStale(await client.get('/step-up/seconds'), 30);
  });

  test('is not satisfied by a refresh', async () => {
    const client = await signedIn({ age: 601 });
    expect((await client.refresh()).status).toBe(200);
    expectStale(await client.send('POST', '/step-up/fresh', undefined, client.bearer));
  });

  test('accepts a proof of a server whose clock is a minute ahead, and refuses one that is further in the future', async () => {
    for (const [age, status] of [
      [-60, 200],
      [-61, 401],
    ] as const) {
      const client = await signedIn({ age });
      expect((await client.send('POST', '/step-up/fresh', undefined, client.bearer)).status, `${age}`).toBe(status);
    }
  });

  test.each([['10 minutes'], ['-1m'], ['0s'], [''], [0], [1.5], [Number.NaN], [-60], [undefined], [null], [['10m']]])(
    'throws for %j when the route is declared',
    (value) => {
      expect(() => Fresh(value as string)).toThrow(
        new TypeError('Fresh() needs a duration such as 10m, or a whole number of seconds'),
      );
    },
  );

  test('without a duration keeps the app from starting', async () => {
    @JsonController('/forgotten')
    class ForgottenController {
      @Authorized(Fresh)
      @Get('/')
      forgotten() {}
    }
    expect(() => app.auth.serverOptions({ controllers: [ForgottenController] })).toThrow(/ForgottenController/);
    expect(() => app.auth.requireAuth(Fresh as unknown as AccessPredicate)).toThrow(/role numbers and predicates/);
  });
});

describe('SecondFactor', () => {
  test('lets in a session with mfa, and no other', async () => {
    const [strong, weak] = [await signedIn({ amr: ['pwd', 'otp', 'mfa'] }), await signedIn({ amr: ['pwd', 'otp'] })];
    expect((await strong.get('/step-up/factor')).body).toEqual({ ran: 'factor' });
    expectNoFactor(await weak.get('/step-up/factor'));
    expectNoFactor(await (await signedIn({ amr: [] })).get('/step-up/factor'));
  });
});

describe('Fresh and SecondFactor', () => {
  test('compose with roles and other predicates, on a method and on its controller', async () => {
    const mfa = { amr: ['pwd', 'otp', 'mfa'] };
    const right = await signedIn(mfa);
    expect((await right.get('/step-up/all')).body).toEqual({ ran: 'all' });
    expect((await right.get('/desk-of-members?member=yes')).body).toEqual({ ran: 'desk' });
    expectProblemDetails(await right.get('/desk-of-members'), 403, 'permission_denied');
    expectStale(await (await signedIn({ ...mfa, age: 601 })).get('/step-up/all'));
    expectStale(await (await signedIn({ ...mfa, age: 3601 })).get('/desk-of-members?member=yes'), 3600);
    expectNoFactor(await (await signedIn({})).get('/step-up/all'));
    expectNoFactor(await (await signedIn({})).get('/desk-of-members?member=yes'));
  });

  test('do not ask a caller who lacks the role for another proof: 403', async () => {
    const client = await signedIn({ role: 0, age: 9000 });
    expectProblemDetails(await client.get('/step-up/all'), 403, 'permission_denied');
    expectProblemDetails(await client.get('/desk-of-members?member=yes'), 403, 'permission_denied');
  });

  test('need an access token, and send no query', async () => {
    const [client, stale] = [await signedIn({ amr: ['pwd', 'mfa'] }), await signedIn({ age: 9000 })];
    expectProblemDetails(await app.client().get('/step-up/all'), 401, 'not_authenticated');
    const queries = await countQueries(app.orm, async () => {
      expect((await client.get('/step-up/all')).status).toBe(200);
      expect((await stale.get('/step-up/all')).status).toBe(401);
    });
    expect(queries).toEqual([]);
  });

  test('guard plain Express routes with auth.requireAuth', async () => {
    const right = await signedIn({ amr: ['pwd', 'mfa'] });
    expect((await right.get('/plain/fresh')).body).toEqual({ authTime: now(), amr: ['pwd', 'mfa'] });
    expect((await right.get('/plain/factor')).status).toBe(200);
    expectStale(await (await signedIn({ age: 601 })).get('/plain/fresh'));
    expectNoFactor(await (await signedIn({})).get('/plain/factor'));
  });

  test('read the claims of a principal that an authenticator made, and refuse one without them', async () => {
    const claims = (more: object) => ({ 'x-claims': JSON.stringify(more) });
    const send = (path: string, more: object) => app.client().send('GET', path, undefined, claims(more));
    const wall = Math.floor(Date.now() / 1000); // this authenticator has the clock of the system
    expect((await send('/plain/fresh', { auth_time: wall - 590 })).status).toBe(200);
    expect((await send('/step-up/factor', { amr: ['mfa'] })).status).toBe(200);
    const times = [undefined, null, String(wall), wall + 0.5, wall * 1000, Number.NaN];
    for (const auth_time of times) expectStale(await send('/plain/fresh', { auth_time }));
    for (const amr of [undefined, null, 'mfa', [['mfa']], { includes: 1 }]) {
      expectNoFactor(await send('/step-up/factor', { amr }));
    }
  });

  test('check the age of the proof at each call, also for a principal that outlives its request', async () => {
    const client = await signedIn({ age: 590 });
    const principal = await app.auth.authenticate(client.access);
    const request = {} as never;
    expect(Fresh('10m')(principal, request)).toBe(true);
    app.clock.advance(20);
    expect(() => Fresh('10m')(principal, request)).toThrow(
      expect.objectContaining({ code: 'reauthentication_required', stepUp: { maxAge: 600 } }),
    );
  });

  test('are in the OpenAPI document of the routes that use them', () => {
    const { paths } = documentOf(app, { controllers: [StepUpController, DeskController] });
    const codesOf = (method: string, path: string, status: number) =>
      JSON.stringify(paths[path]?.[method]?.responses[status] ?? {}).match(/"enum":\[([^\]]*)\]/)?.[1];
    const token = '"not_authenticated","token_not_valid"';
    expect(codesOf('post', '/step-up/fresh', 401)).toBe(`${token},"reauthentication_required"`);
    expect(codesOf('get', '/step-up/factor', 401)).toBe(`${token},"second_factor_required"`);
    const both = `${token},"reauthentication_required","second_factor_required"`;
    expect(codesOf('get', '/step-up/all', 401)).toBe(both);
    expect(codesOf('get', '/desk-of-members', 401)).toBe(both);
    expect(codesOf('post', '/step-up/fresh', 403)).toBeUndefined();
    expect(codesOf('get', '/step-up/all', 403)).toBe('"permission_denied"');
  });
});
