import { type Action, Interceptor, type InterceptorInterface } from 'routing-controllers';
import { Service } from 'typedi';
import { expect, test } from 'vitest';
import { createTestApp } from './support/test-app.js';

const seen: unknown[] = [];

/** Decorated somewhere in the process, by another app or a library, and listed nowhere. */
@Service()
@Interceptor()
class Spy implements InterceptorInterface {
  intercept(_action: Action, result: unknown) {
    seen.push(result);
    return result;
  }
}

test('an interceptor that the app did not list sees no token', async () => {
  const app = await createTestApp({ settings: { refreshTokenAsCookie: false } });
  expect((await (await app.signedUp()).refresh()).status).toBe(200);
  expect(seen).toEqual([]);
  await app.close();
});

test('an interceptor that the app lists is run', async () => {
  const app = await createTestApp({ server: { interceptors: [Spy] } });
  const client = await app.signedUp();
  expect((await client.get('/auth/user')).status).toBe(200);
  expect(seen).toHaveLength(2);
  await app.close();
});
