import { Body, JsonController, Post, QueryParam } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createTestApp, type TestApp } from '../support/test-app.js';

const UPSTREAM = 'sk_live_51Hx9Upstream';
const PASSWORD = 'hunter22 hunter22';

/** Errors as HTTP clients, drivers and careless code create them. */
const ERRORS: Record<string, (sent: unknown) => Error> = {
  'an axios error with its request': () =>
    Object.assign(new Error('timeout of 5000ms exceeded'), { config: { headers: { 'X-Api-Key': UPSTREAM } } }),
  'headers as Node sends them': () =>
    Object.assign(new Error('aborted'), {
      request: { _header: `GET / HTTP/1.1\r\nAuthorization: Bearer ${UPSTREAM}\r\n` },
    }),
  'a secret in the cause of the cause': () =>
    new Error('outer', { cause: new Error('inner', { cause: { options: { auth: { password: UPSTREAM } } } }) }),
  'a secret in one of several errors': () => new AggregateError([Object.assign(new Error('one'), { token: UPSTREAM })]),
  'a header in the message': () => new Error(`refused: Authorization: Bearer ${UPSTREAM}`),
  'an address with a password in the message': () =>
    new Error(`no answer from redis://app:${UPSTREAM}@cache.test:6379`),
  'the body with a nested password': (sent) => Object.assign(new Error('no'), { input: JSON.stringify(sent) }),
  'a key of the query': (sent) => new Error(`cannot use ${JSON.stringify(sent)}`),
};

@Service()
@JsonController('/throws')
class ThrowingController {
  @Post()
  post(@Body() body: { what: string }, @QueryParam('key') key?: string) {
    throw ERRORS[body.what]?.(key ?? body) ?? new TypeError('unknown');
  }
}

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp({ controllers: [ThrowingController] });
});
beforeEach(() => void app.log.splice(0));
afterAll(() => app.close());

/** The output of a logger that prints all properties and causes. */
function printed(value: unknown, seen = new Set<unknown>()): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (seen.has(value)) return '';
  seen.add(value);
  const keys = Reflect.ownKeys(value) as (keyof typeof value)[];
  return keys.map((key) => `${String(key)} ${printed(value[key], seen)}`).join('\n');
}

test.each(Object.keys(ERRORS))('an error with %s is logged without it', async (what) => {
  const isQuery = what.includes('query');
  const path = isQuery ? `/throws?key=${encodeURIComponent(PASSWORD)}` : '/throws';
  const body = { what, user: { credentials: [{ newPassword: PASSWORD }] } };
  expect((await app.client().send('POST', path, body)).status).toBe(500);
  expect(app.log).toHaveLength(1);
  const line = printed(app.log);
  expect(line).not.toContain(UPSTREAM);
  expect(line).not.toContain(PASSWORD);
  expect(app.log[0]).toMatchObject({ message: 'request failed', err: expect.any(Error) });
  expect(line).toContain('logged-errors.test');
});
