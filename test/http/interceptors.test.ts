import {
  type Action,
  Get,
  Interceptor,
  type InterceptorInterface,
  JsonController,
  UseInterceptor,
} from 'routing-controllers';
import { Inject, Service } from 'typedi';
import { afterEach, expect, test } from 'vitest';
import { ErrorCode } from '../../src/index.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

const seen: unknown[] = [];

/** Decorated somewhere in the process, by another app or a library, and not listed. */
@Service()
@Interceptor()
class Spy implements InterceptorInterface {
  intercept(_action: Action, result: unknown) {
    seen.push(result);
    return result;
  }
}

@Service()
class Greeting {
  readonly text = 'hello';
}

@Service()
@Interceptor({ priority: 1 })
class Envelope implements InterceptorInterface {
  @Inject(() => Greeting)
  readonly greeting!: Greeting;

  async intercept({ request }: Action, data: unknown) {
    return { data, path: request.path, greeting: this.greeting.text };
  }
}

/** Runs before the envelope: a higher priority. */
@Service()
@Interceptor({ priority: 2 })
class Stamp implements InterceptorInterface {
  intercept(_action: Action, result: object) {
    return { ...result, stamped: true };
  }
}

@Service()
@JsonController('/app')
class AppController {
  @Get('/plain')
  plain() {
    return { plain: true };
  }

  @Get('/own')
  @UseInterceptor((_action: Action, result: object) => ({ own: result }))
  own() {
    return { plain: true };
  }
}

let app: TestApp;
afterEach(() => app.close());

test('an interceptor that the app did not list receives no token', async () => {
  app = await createTestApp({ settings: { refreshTokenAsCookie: false } });
  expect((await (await app.signedUp()).refresh()).status).toBe(200);
  expect(seen).toEqual([]);
});

test('an interceptor that the app lists runs on its routes and not on those of the library', async () => {
  app = await createTestApp({
    controllers: [AppController],
    server: { interceptors: [Envelope, Spy, Stamp] },
    settings: { refreshTokenAsCookie: false },
  });
  const client = await app.signedUp('user@example.com');
  const answers = [await client.login('user@example.com'), await client.refresh()];
  for (const { status, body } of answers) {
    expect(status).toBe(200);
    expect(Object.keys(body)).toEqual(['access', 'refresh']);
  }
  expect((await client.get('/auth/user')).body).toMatchObject({ email: 'user@example.com' });
  expect((await client.get('/auth/sessions')).body).toEqual(expect.any(Array));
  expect(Object.keys((await client.get('/auth/.well-known/jwks.json')).body)).toEqual(['keys']);
  expect((await client.logoutAll()).status).toBe(204);
  expect(seen).toEqual([]);

  const wrapped = (data: object, path: string) => ({ data: { ...data, stamped: true }, path, greeting: 'hello' });
  expect((await client.get('/app/plain')).body).toEqual(wrapped({ plain: true }, '/app/plain'));
  expect((await client.get('/app/own')).body).toEqual({ own: wrapped({ plain: true }, '/app/own') });
  expect(seen).toHaveLength(2);
});

test("interceptors that are given as paths are refused at start, because they would run on the library's routes as well", async () => {
  app = await createTestApp();
  const start = () => app.auth.serverOptions({ interceptors: ['./interceptors/*.js'] as never });
  expect(start).toThrow(expect.objectContaining({ code: ErrorCode.ControllerRefused }));
  expect(start).toThrow(/^interceptors must be passed as classes/);
});
