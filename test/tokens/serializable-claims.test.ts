import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BaseUser, ErrorCode, type ForUserOptions, JwtAllauthError, RefreshToken } from '../../src/index.js';
import { assertSerializable } from '../../src/tokens/serializable-claims.js';
import { openToken } from '../support/forge.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const cycle: Record<string, unknown> = {};
cycle['again'] = { deeper: cycle };

class Permission {
  constructor(readonly name: string) {}
}

/** Values that JSON would change or drop, with the path and the kind in the error. */
const CHANGED: [what: string, value: unknown, path: string, kind: string][] = [
  ['a Map', new Map([['a', 1]]), 'claim', 'a Map'],
  ['a Set', new Set(['read']), 'claim', 'a Set'],
  ['a WeakSet', new WeakSet(), 'claim', 'a WeakSet'],
  ['NaN', Number.NaN, 'claim', 'NaN'],
  ['Infinity', Number.POSITIVE_INFINITY, 'claim', 'Infinity'],
  ['a function', () => 1, 'claim', 'a function'],
  ['a symbol', Symbol('s'), 'claim', 'a symbol'],
  ['a bigint', 1n, 'claim', 'a bigint'],
  ['a promise', Promise.resolve(1), 'claim', 'a Promise'],
  ['a regular expression', /a/, 'claim', 'a RegExp'],
  ['an error', new Error('x'), 'claim', 'a Error'],
  ['bytes', new Uint8Array(2), 'claim', 'a Uint8Array'],
  ['a Buffer', Buffer.from('a'), 'claim', 'a Uint8Array'],
  ['an invalid date', new Date(Number.NaN), 'claim', 'an invalid Date'],
  ['a hole in a list', Object.assign([], { length: 1 }), 'claim.0', 'a undefined'],
  ['undefined in a list', [1, undefined], 'claim.1', 'a undefined'],
  ['a Set within', { of: [{ them: new Set() }] }, 'claim.of.0.them', 'a Set'],
  ['a Set that toJSON gives', { toJSON: () => ({ of: new Set() }) }, 'claim.of', 'a Set'],
  ['a cycle', cycle, 'claim.again.deeper', 'a cycle'],
];

/** Values that a resource server reads as the app has written them, or in the form that their class has for JSON. */
const CARRIED: [what: string, value: unknown, read: unknown][] = [
  ['plain values', { a: [1, 'x', true, null, -1.5], b: {} }, { a: [1, 'x', true, null, -1.5], b: {} }],
  ['a property that is undefined', { a: undefined, b: 1 }, { b: 1 }],
  ['nothing', undefined, undefined],
  ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
  ['an instance of a class', new Permission('read'), { name: 'read' }],
  ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ['what occurs twice, side by side', [cycleFree(), cycleFree()], [{ a: 1 }, { a: 1 }]],
];

function cycleFree() {
  return { a: 1 };
}

describe('a claim that is', () => {
  test.each(CHANGED)('%s causes an error that names it', (_, value, path, kind) => {
    const detail = `The claim "${path}" contains ${kind}, which JSON cannot represent; convert it.`;
    const check = () => assertSerializable({ fine: 1, claim: value });
    expect(check).toThrow(new JwtAllauthError(ErrorCode.ClaimNotSerializable, { status: 500, detail }));
  });

  test.each(CARRIED)('%s is accepted', (_, claim, read) => {
    expect(() => assertSerializable({ claim })).not.toThrow();
    expect(JSON.parse(JSON.stringify({ claim }))).toEqual(read === undefined ? {} : { claim: read });
  });
});

describe('an app whose token class adds such a claim', () => {
  let permissions: unknown = [];
  class Token extends RefreshToken {
    static override async forUser(user: BaseUser, options?: ForUserOptions) {
      const token = await super.forUser(user, options);
      token.payload.permissions = permissions;
      return token;
    }
  }
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ settings: { refreshToken: Token } });
  });
  afterAll(() => app.close());

  test('is reported at sign-up, sign-in and refresh, and nothing is stored or consumed', async () => {
    const client = await app.signedUp('user@example.com');
    permissions = new Set(['read']);
    const tries = [
      await app.client().register('other@example.com'),
      await app.client().login('user@example.com'),
      await client.refresh(),
    ];
    for (const answer of tries) expectProblemDetails(answer, 500, 'claim_not_serializable');
    const reason = 'The claim "permissions" contains a Set, which JSON cannot represent; convert it.';
    expect(app.log).toMatchObject([{ reason }, { reason }, { reason }]);
    expect(await app.liveSessions()).toBe(1);
    permissions = ['read'];
    app.clock.advance(60);
    expect((await client.refresh()).status).toBe(200);
    expect(openToken(client.access).claims['permissions']).toEqual(['read']);
    expect(app.events).toEqual([]);
  });
});
