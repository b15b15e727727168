import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fingerprint } from '../support/database-fingerprint.js';
import { ENDPOINTS, type Endpoint, sendTo } from '../support/endpoints.js';
import { expectProblemDetails, fieldsOf } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

/** A part of every bad value; no answer may contain it. */
const MARKER = 'MARKER9f3a';

/** The app's own options; none may change which input the library's routes accept. */
const SERVERS = [
  { title: 'an app with default options', server: {} },
  { title: 'an app without class-transformer and validation', server: { classTransformer: false, validation: false } },
  {
    title: 'an app with a lenient validation',
    server: {
      validation: { skipMissingProperties: true, whitelist: false, forbidNonWhitelisted: false, groups: ['none'] },
      plainToClassTransformOptions: { strategy: 'excludeAll' as const },
    },
  },
];

/** A value in the middle of that many arrays or objects. */
const deep = (open: string, close: string, depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`;

describe.each(SERVERS)('$title', ({ server }) => {
  let app: TestApp;
  let bearer: Record<string, string>;
  beforeAll(async () => {
    app = await createTestApp({ server, settings: { refreshTokenAsCookie: false } });
    bearer = (await app.signedUp('user@example.com')).bearer;
  });
  afterAll(() => app.close());

  /** Sends a bad body and asserts that it is refused for these fields and changes nothing. */
  async function expectInvalid(endpoint: Endpoint, body: unknown, fields: readonly string[]): Promise<void> {
    const before = await fingerprint(app.database);
    const answer = await sendTo(app, endpoint, body, bearer);
    expectProblemDetails(answer, 400, 'validation_failed', [MARKER]);
    expect(fieldsOf(answer).sort()).toEqual([...fields].sort());
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await fingerprint(app.database)).toBe(before);
    expect(app.log).toEqual([]);
  }

  describe.each(ENDPOINTS)('$name', (endpoint) => {
    const { body, required } = endpoint;
    const fields = Object.keys(body);
    const [first = ''] = fields;

    test('refuses a nested value under a name that is shortened in the answer', () => {
      const name = 'n'.repeat(65);
      const bad = `{"${name}":${deep('[', ']', 20_000)},${JSON.stringify(body).slice(1)}`;
      return expectInvalid(endpoint, bad, [name.slice(0, 64)]);
    });

    test('names twenty faults of a body that has a thousand', async () => {
      const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`field${index}`, MARKER]));
      const names = Array.from({ length: 20 }, (_, index) => `field${index}`);
      await expectInvalid(endpoint, { ...many, ...body }, names);
    });

    test.each<[what: string, body: unknown]>([
      ['an array', [body]],
      ['an empty array', []],
      ['an array of arrays', [[body]]],
      ['20 000 arrays in one another', deep('[', ']', 20_000)],
    ])('refuses %s instead of an object', (_, bad) => expectInvalid(endpoint, bad, ['']));

    test.each<[what: string, value: string]>([
      ['20 000 arrays', deep('[', ']', 20_000)],
      ['15 000 objects', deep('{"a":', '}', 15_000)],
    ])('refuses a field with %s nested in one another', (_, value) => {
      const others = JSON.stringify({ ...body, [first]: undefined }).slice(1);
      const bad = `{"${first}":${value}${others === '}' ? '' : ','}${others}`;
      return expectInvalid(endpoint, bad, [first]);
    });

    test.each<[what: string, value: unknown]>([
      ['a number', 12_345_678],
      ['a boolean', true],
      ['null', null],
      ['an empty array', []],
      ['an array with one text', [`${MARKER}@example.com`]],
      ['an object', { [MARKER]: MARKER }],
      ['an operator of a query language', { $ne: MARKER }],
    ])('refuses %s in each of its fields', async (_, value) => {
      for (const field of fields) await expectInvalid(endpoint, { ...body, [field]: value }, [field]);
    });

    test('names all its faults at once', () => {
      const bad = Object.fromEntries(fields.map((field) => [field, 1]));
      return expectInvalid(endpoint, { ...bad, role: 1000 }, [...fields, 'role']);
    });

    test('refuses a body without a required field', async () => {
      for (const field of required) await expectInvalid(endpoint, { ...body, [field]: undefined }, [field]);
      if (required.length > 0) await expectInvalid(endpoint, {}, required);
    });

    test.each([
      'role',
      'id',
      'isActive',
      'emailVerified',
      'passwordHash',
      'permissions',
      'Email',
      '',
      'then',
      'toJSON',
      '__proto__',
      'constructor',
      'prototype',
      'toString',
      'valueOf',
      'hasOwnProperty',
      'isPrototypeOf',
      'propertyIsEnumerable',
      '__defineGetter__',
      '__lookupSetter__',
    ])('refuses the unknown field "%s"', (field) => {
      // Not with JSON.stringify of an object: setting __proto__ there would set the prototype.
      const bad = JSON.stringify(body).replace(/}$/, `,"${field}":"${MARKER}"}`);
      return expectInvalid(endpoint, bad, [field]);
    });

    test.each(['__proto__', 'constructor', 'role'])('refuses an object in the unknown field "%s"', (field) => {
      const bad = JSON.stringify(body).replace(/}$/, `,"${field}":{"isActive":true,"${MARKER}":1}}`);
      return expectInvalid(endpoint, bad, [field]);
    });

    test('repeats at most 64 characters of the name of an unknown field', async () => {
      const answer = await sendTo(app, endpoint, { ...body, ['x'.repeat(50_000)]: 1 }, bearer);
      expectProblemDetails(answer, 400, 'validation_failed', ['x'.repeat(65)]);
      expect(fieldsOf(answer)).toEqual(['x'.repeat(64)]);
    });
  });

  test('no test of this file has changed a prototype', () => {
    expect(({} as Record<string, unknown>)['isActive']).toBeUndefined();
    expect(([] as unknown as Record<string, unknown>)[MARKER]).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test('a valid body is still accepted', async () => {
    const [registration, login, , , change, profile] = ENDPOINTS as [
      Endpoint,
      Endpoint,
      Endpoint,
      Endpoint,
      Endpoint,
      Endpoint,
    ];
    const answers = [];
    for (const endpoint of [registration, login, profile, change]) {
      answers.push(await sendTo(app, endpoint, endpoint.body, bearer));
    }
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 200, 200]);
    const client = app.client();
    client.refreshToken = answers[3]?.body.refresh;
    expect((await client.refresh()).status).toBe(200);
    expect((await client.logout()).status).toBe(204);
  });
});
