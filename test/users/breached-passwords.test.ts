import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BreachedPasswords } from '../../src/index.js';
import { expectProblem } from '../support/expect-problem.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { until } from '../support/until.js';

const BREACHED = 'tiger lamp cloud river';
const FAULT = 'is known from a data breach of another site; use a password that you use nowhere else';
const sha1 = (text: string) => createHash('sha1').update(text).digest('hex').toUpperCase();

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let asked: IncomingMessage[];
let app: TestApp;

/** Knows one password, and pads its answers with other ones that have a count of 0. */
function range(_: IncomingMessage, response: ServerResponse): void {
  const padding = sha1(PASSWORD).slice(5);
  response.end(`0018A45C4D1DEF81644B54AB7F969B88D65:3\r\n${sha1(BREACHED).slice(5)}:12\r\n${padding}:0`);
}

/** Another URL, at which the password would be known. */
function leadElsewhere(request: IncomingMessage, response: ServerResponse): void {
  if (request.url === '/elsewhere') range(request, response);
  else response.writeHead(302, { location: '/elsewhere' }).end();
}

beforeEach(async () => {
  asked = [];
  answer = range;
  server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  app = await createTestApp({ auth: { services: [LocalBreaches] } });
});
afterEach(async () => {
  await app.close();
  server.closeAllConnections();
  server.close();
});

class LocalBreaches extends BreachedPasswords {
  protected override readonly rangeUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/range/`;
  protected override readonly timeoutMilliseconds: number = 200;
}

let count = 0;
const signUp = (password: string) => app.client().register(`breach${++count}@example.com`, password);
const warnings = () =>
  app.log.filter(({ message }) => message === 'a new password was not checked against known breaches');

test('a password from a known breach is refused, and only five characters of its hash are sent', async () => {
  const refused = await signUp(BREACHED);
  expectProblem(refused, 400, 'validation_failed');
  expect(refused.body.errors).toEqual([{ field: 'password', messages: [FAULT] }]);
  const [request] = asked;
  expect(request?.url).toBe(`/range/${sha1(BREACHED).slice(0, 5)}`);
  expect([request?.method, request?.headers['add-padding']]).toEqual(['GET', 'true']);
  expect(JSON.stringify(request?.headers)).not.toContain(sha1(BREACHED).slice(5, 15));
  expect((await app.database.pool.query('select 1 from app_user')).rows).toEqual([]);
  expect(app.log).toEqual([]);
});

test('a padding line is no breach, nor is the hash of another password', async () => {
  expect((await signUp(PASSWORD)).status).toBe(201);
  expect((await signUp('tiger lamp cloud stone')).status).toBe(201);
  expect([asked.length, app.log]).toEqual([2, []]);
});

test('no request is sent for a password that the other rules refuse', async () => {
  expectProblem(await signUp('password1'), 400, 'validation_failed');
  expect(asked).toEqual([]);
});

test('no request is sent for a body that is invalid, nor for a sign-up over the limit', async () => {
  const wrong = { email: 'no address', password: BREACHED };
  expectProblem(await app.client().send('POST', '/auth/registration', wrong), 400, 'validation_failed');
  expect(asked).toEqual([]);
  await app.close();
  app = await createTestApp({ settings: { registrationRateLimit: '1/1h/ip' }, auth: { services: [LocalBreaches] } });
  expectProblem(await signUp(BREACHED), 400, 'validation_failed');
  expectProblem(await signUp(BREACHED), 429, 'too_many_requests');
  expect(asked).toHaveLength(1);
});

test('no request is sent for a password change with a wrong old password', async () => {
  const client = await app.signedUp('ada@example.com');
  asked = [];
  expectProblem(await client.changePassword('wrong horse battery', BREACHED), 401, 'incorrect_credentials');
  expect(asked).toEqual([]);
});

test('a password change checks as well, and the old password stays', async () => {
  const client = await app.signedUp('ada@example.com');
  const refused = await client.changePassword(PASSWORD, BREACHED);
  expect(refused.body.errors).toEqual([{ field: 'newPassword', messages: [FAULT] }]);
  expect((await app.client().login('ada@example.com')).status).toBe(200);
});

test.each<[what: string, answers: typeof answer, reason: string]>([
  ['answers 503', (_, response) => response.writeHead(503).end('x'), 'status 503'],
  ['leads elsewhere', leadElsewhere, 'TypeError'],
  ['cuts the connection', (request) => request.socket.destroy(), 'TypeError'],
  ['does not answer in time', () => {}, 'TimeoutError'],
  ['does not end its answer', (_, response) => response.write('0'.repeat(35)), 'TimeoutError'],
  ['answers without end', (_, response) => response.end('0'.repeat(1_000_001)), 'the response is too long'],
])('if the service %s, the password is accepted and the log says so', async (_what, answers, reason) => {
  answer = answers;
  const began = performance.now();
  expect((await signUp(BREACHED)).status).toBe(201);
  expect(performance.now() - began).toBeLessThan(4000);
  expect(warnings()).toEqual([{ level: 'warn', reason, message: expect.any(String) }]);
  expect((await signUp(BREACHED)).status).toBe(201);
  expect(warnings()).toHaveLength(1); // a flood does not fill the log
  expect(JSON.stringify(app.log)).not.toMatch(new RegExp(`${sha1(BREACHED).slice(0, 5)}|${BREACHED}`));
});

test('at most 20 requests run at once; a further password is accepted', async () => {
  const waiting: ServerResponse[] = [];
  answer = (_, response) => waiting.push(response);
  class Patient extends LocalBreaches {
    protected override readonly timeoutMilliseconds: number = 60_000;
  }
  const policy = new Patient({
    settings: app.auth.settings,
    logger: { info() {}, warn() {}, error() {} },
    clock: app.clock,
  });
  const held = Array.from({ length: 20 }, () => policy.remoteFaults(BREACHED, {}));
  await until(() => waiting.length === 20);
  expect(await policy.remoteFaults(BREACHED, {})).toEqual([]);
  expect(asked).toHaveLength(20);
  for (const [index, response] of waiting.entries()) range(asked[index] as IncomingMessage, response);
  expect(await Promise.all(held)).toEqual(held.map(() => [FAULT]));
  answer = range;
  expect(await policy.remoteFaults(BREACHED, {})).toEqual([FAULT]);
});

test('the check is off unless the app lists it', async () => {
  const plain = await createTestApp();
  expect((await plain.client().register('ada@example.com', BREACHED)).status).toBe(201);
  expect(asked).toEqual([]);
  await plain.close();
});
