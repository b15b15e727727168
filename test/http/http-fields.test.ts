import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fingerprint } from '../support/database-fingerprint.js';
import { expectProblemDetails, fieldsOf } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { type Answer, PASSWORD, type TestClient } from '../support/test-client.js';

/** A part of every bad value; no answer may contain it. */
const MARKER = 'MARKER9f3a';

let app: TestApp;
let client: TestClient;
beforeAll(async () => {
  app = await createTestApp();
  client = await app.signedUp('user@example.com');
});
beforeEach(() => void app.log.splice(0));
afterAll(() => app.close());

/** Asserts that a request is refused for one field, changes nothing and is no error of the server. */
async function expectInvalid(field: string, request: () => Promise<Answer>): Promise<void> {
  const before = await fingerprint(app.database);
  const answer = await request();
  expectProblemDetails(answer, 400, 'validation_failed', [MARKER, '\u0000', '\\u0000']);
  expect(fieldsOf(answer)).toEqual([field]);
  expect(answer.headers.getSetCookie()).toEqual([]);
  expect(await fingerprint(app.database)).toBe(before);
  expect(app.log).toEqual([]);
}

const patch = (body: object) => client.send('PATCH', '/auth/user', body, client.bearer);
const register = (email: string, more = {}) => app.client().register(email, PASSWORD, more);

describe('an e-mail address', () => {
  const everywhere: [what: string, email: string][] = [
    ['that is empty', ''],
    ['of blanks', '   '],
    ['without an @', MARKER],
    ['without a local part', `@${MARKER}.example`],
    ['without a domain', `${MARKER}@`],
    ['with a blank', `${MARKER} x@example.com`],
    ['with a NUL', `${MARKER}\u0000@example.com`],
    ['with a NUL at its end', `${MARKER}@example.com\u0000`],
    ['with a line break', `${MARKER}@example.com\r\nBcc: victim@example.com`],
    ['with a tab', `${MARKER}\t@example.com`],
    ['with a delete character', `${MARKER}\u007f@example.com`],
    ['with a control character of the second set', `${MARKER}\u0085@example.com`],
    ['of 255 characters', `${MARKER}@${'x'.repeat(255 - 4 - MARKER.length - 1)}.com`],
    ['of 90 000 characters', `${MARKER}@${'x'.repeat(90_000)}.com`],
  ];
  const onlyNew: [what: string, email: string][] = [
    ['with two @', `${MARKER}@@example.com`],
    ['without a top-level domain', `${MARKER}@localhost`],
    ['of an IP address', `${MARKER}@127.0.0.1`],
    ['with a name around it', `${MARKER} <x@example.com>`],
    ['with two dots', `${MARKER}..x@example.com`],
    ['with a dot at its start', `.${MARKER}@example.com`],
    ['with a comma', `${MARKER},x@example.com`],
    ['with a quote', `${MARKER}"@example.com`],
    ['with a hyphen before the domain', `${MARKER}@-example.com`],
    ['with a lone surrogate', `${MARKER}\ud800@example.com`],
    ['with a local part of 65 characters', `${MARKER.padEnd(65, 'x')}@example.com`],
  ];

  test.each(everywhere)('%s is refused at login', (_, email) =>
    expectInvalid('email', () => app.client().login(email)),
  );

  test.each([...everywhere, ...onlyNew])('%s is refused at registration', (_, email) =>
    expectInvalid('email', () => register(email)),
  );

  test.each([
    ['with capitals whose lower case is longer', `${'İ'.repeat(30)}@${'İ'.repeat(60)}.${'İ'.repeat(60)}.com`],
    ['with joined characters that its normal form takes apart', `x@${`${'\u0958'.repeat(30)}.`.repeat(5)}com`],
    ['with variation selectors that a count of characters leaves out', `x@${`${'a\uFE0F'.repeat(15)}.`.repeat(9)}com`],
  ])('%s is stored or refused, but never causes a server error', async (_, email) => {
    const answer = await register(email);
    if (answer.status === 201) expect((await app.client().login(email)).status).toBe(200);
    else expectProblemDetails(answer, 400, 'validation_failed', [email]);
    expect(app.log).toEqual([]);
  });

  test.each([
    ['with a tag', 'ada+tag@example.com'],
    ['with an apostrophe', "o'brien@example.com"],
    ['in other letters', 'δοκιμή@παράδειγμα.example'],
    ['with a long domain', `x@${'sub.'.repeat(40)}example.com`],
    ['that looks like SQL', "x'--@example.com"],
  ])('%s is accepted', async (_, email) => {
    expect((await register(email)).status).toBe(201);
    expect((await app.client().login(email)).status).toBe(200);
  });

  test('without an account gets the same answer as a wrong password at login, in every form', async () => {
    for (const email of ['x@localhost', '" or 1=1 --@x', '%@%', `x@${'ß'.repeat(200)}`, '\u202e@x']) {
      const before = await fingerprint(app.database);
      const answer = await app.client().login(email.replaceAll(' ', ''));
      expectProblemDetails(answer, 401, 'incorrect_credentials', [email]);
      expect(await fingerprint(app.database)).toBe(before);
    }
    expect(app.log).toEqual([]);
  });
});

describe.each(['firstName', 'lastName'])('%s', (field) => {
  test.each([null, 7, true])('that is %s causes the single message that it must be a string', async (value) => {
    const answer = await patch({ [field]: value });
    expectProblemDetails(answer, 400, 'validation_failed');
    expect(answer.body.errors).toEqual([{ field, messages: ['must be a string'] }]);
  });

  const routes: [route: string, send: (name: unknown) => Promise<Answer>][] = [
    ['registration', (name) => register(`${MARKER}@example.com`, { [field]: name })],
    ['profile', (name) => patch({ [field]: name })],
  ];

  test.each([
    ['with a NUL', `${MARKER}\u0000`],
    ['with a line break', `${MARKER}\n`],
    ['with an escape sequence', `${MARKER}\u001b[31m`],
    ['with a delete character', `${MARKER}\u007f`],
    ['with a control character of the second set', `${MARKER}\u009b`],
    ['of 151 characters', MARKER.padEnd(151, 'x')],
    ['of 151 characters outside of the first plane', '😀'.repeat(151)],
    ['of 90 000 characters', MARKER.padEnd(90_000, 'x')],
  ])('%s is refused', async (_, name) => {
    for (const [, send] of routes) await expectInvalid(field, () => send(name));
  });

  test.each([
    ['of 200 signs with variation selectors, which a count of characters leaves out', '❤\uFE0F'.repeat(100)],
    ['of 300 code points that count as 150', 'x\uFE0F'.repeat(150)],
    ['with accents as characters of their own', 'e\u0301'.repeat(75)],
    ['with the first half of a character', 'half \ud83d'],
    ['with the second half of a character', '\udc00 half'],
  ])('%s is refused or stored as it is, and never causes a server error', async (_, name) => {
    const answer = await patch({ [field]: name });
    if (answer.status === 200) expect((await client.get('/auth/user')).body[field]).toBe(name);
    else expectProblemDetails(answer, 400, 'validation_failed', [name]);
    expect(app.log).toEqual([]);
  });

  test.each([
    ['that is empty', ''],
    ['of 150 characters', 'x'.repeat(150)],
    ['of 150 characters outside of the first plane', '😀'.repeat(150)],
    ['in another script', '夏目 漱石'],
    ['written from right to left', 'عمر الخيام'],
    ['with an apostrophe and a quote', `O'Brien "Bob"`],
    ['that looks like markup', '<script>alert(1)</script>'],
    ['that looks like SQL', "'; drop table app_user; --"],
    ['with blanks around it', '  Ada  '],
  ])('%s is stored as it is', async (_, name) => {
    expect(await patch({ [field]: name })).toMatchObject({ status: 200, body: { [field]: name } });
    expect((await client.get('/auth/user')).body[field]).toBe(name);
    const added = app.client();
    expect((await added.register(`${crypto.randomUUID()}@example.com`, PASSWORD, { [field]: name })).status).toBe(201);
    expect((await added.get('/auth/user')).body).toMatchObject({ firstName: '', lastName: '', [field]: name });
  });
});

describe('a profile', () => {
  test('keeps the fields that are not sent', async () => {
    await patch({ firstName: 'Ada', lastName: 'Lovelace' });
    expect((await patch({ lastName: 'King' })).body).toMatchObject({ firstName: 'Ada', lastName: 'King' });
    expect((await patch({})).body).toMatchObject({ firstName: 'Ada', lastName: 'King' });
    const { status, body } = await client.get('/auth/user');
    expect({ status, body }).toEqual({
      status: 200,
      body: {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        email: 'user@example.com',
        firstName: 'Ada',
        lastName: 'King',
        role: 0,
        emailVerified: true,
      },
    });
  });
});
