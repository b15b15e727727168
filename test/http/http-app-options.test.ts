import { Authorized, CurrentUser, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AppServerOptions, LoadUser, Principal } from '../../src/index.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { PASSWORD } from '../support/test-client.js';
import { AppUser } from '../support/users.js';

@Service()
@JsonController('/app')
class AppController {
  @Authorized()
  @Get('/principal')
  principal(@CurrentUser() principal: Principal) {
    return { id: principal.id };
  }

  @Authorized()
  @LoadUser()
  @Get('/user')
  user(@CurrentUser() user: AppUser) {
    return { email: user.email };
  }

  @Get('/public')
  public(@CurrentUser() principal?: Principal) {
    return { isSignedIn: principal !== undefined };
  }
}

/** Options of routing-controllers that an app may have for its own routes. The library must work the same with each. */
const OPTIONS: [what: string, server: AppServerOptions][] = [
  ['answers with exposed fields only', { classToPlainTransformOptions: { strategy: 'excludeAll' } }],
  ['reads exposed fields only', { plainToClassTransformOptions: { strategy: 'excludeAll' } }],
  ['has no class-transformer and no validation', { classTransformer: false, validation: false }],
  ['requires every parameter', { defaults: { paramOptions: { required: true } } }],
  ['answers 404 for null and undefined', { defaults: { nullResultCode: 404, undefinedResultCode: 404 } }],
  ['runs in development', { development: true }],
  ['overrides messages of errors', { errorOverridingMap: { Error: { message: 'x' } } }],
];

describe.each(['cookie', 'body'])('in %s mode', (mode) => {
  describe.each(OPTIONS)('an app that %s', (_, server) => {
    let app: TestApp;
    beforeAll(async () => {
      const settings = { refreshTokenAsCookie: mode === 'cookie' };
      app = await createTestApp({ settings, server, controllers: [AppController] });
    });
    afterAll(() => app.close());

    test('lets users sign up, sign in, refresh and sign out', async () => {
      const client = app.client();
      const bodies = mode === 'cookie' ? ['access'] : ['access', 'refresh'];
      const opened = [await client.register('user@example.com'), await client.login('user@example.com')];
      opened.push(await client.refresh());
      expect(opened.map(({ status }) => status)).toEqual([201, 200, 200]);
      for (const { body, headers } of opened) {
        expect(Object.keys(body)).toEqual(bodies);
        expect(headers.getSetCookie()).toHaveLength(mode === 'cookie' ? 1 : 0);
      }
      const profile = { email: 'user@example.com', firstName: '', lastName: '', role: 0, emailVerified: true };
      expect((await client.get('/auth/user')).body).toEqual({ id: expect.any(String), ...profile });
      const named = await client.send('PATCH', '/auth/user', { firstName: 'Ada' }, client.bearer);
      expect(named.body).toEqual({ id: expect.any(String), ...profile, firstName: 'Ada' });
      expect((await client.changePassword(PASSWORD, 'another sentence, as long')).status).toBe(200);
      const out = [await client.logoutAll(), await client.logout()];
      expect(out.map(({ status, body }) => [status, body])).toEqual([
        [204, ''],
        [204, ''],
      ]);
      expect(await app.liveSessions()).toBe(0);
    });

    test('refuses in the same way as any other app', async () => {
      const client = app.client();
      expectProblemDetails(await client.send('POST', '/auth/refresh'), 400, 'refresh_token_missing');
      expectProblemDetails(await client.send('POST', '/auth/logout'), 400, 'refresh_token_missing');
      expectProblemDetails(await client.send('POST', '/auth/login'), 400, 'validation_failed');
      expectProblemDetails(await client.send('POST', '/auth/registration', []), 400, 'validation_failed');
      expectProblemDetails(await client.get('/auth/user'), 401, 'not_authenticated');
      expectProblemDetails(await client.get('/app/principal'), 401, 'not_authenticated');
      expectProblemDetails(await client.get('/auth/nothing'), 404, 'not_found');
    });

    test('gives its own actions the principal and the user', async () => {
      const client = await app.signedUp('own@example.com');
      expect((await client.get('/app/principal')).status).toBe(200);
      expect((await client.get('/app/user')).status).toBe(200);
      expect((await client.get('/app/public')).status).toBe(200);
    });
  });
});

describe('the result of serverOptions', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp();
  });
  afterAll(() => app.close());

  test('keeps the options of the app, replaces the error handler, and adds the checkers', () => {
    class AppMiddleware {}
    const options = app.auth.serverOptions({
      defaultErrorHandler: true,
      cors: { origin: 'https://app.example.com' },
      routePrefix: '/api',
      controllers: [AppController],
      middlewares: [AppMiddleware],
    } as AppServerOptions);
    expect(options).toMatchObject({
      cors: { origin: 'https://app.example.com' },
      routePrefix: '/api',
      defaultErrorHandler: false,
    });
    expect([options.authorizationChecker, options.currentUserChecker]).toEqual(Array(2).fill(expect.any(Function)));
    expect(options.controllers).toContain(AppController);
    expect(options.middlewares).toContain(AppMiddleware);
  });

  test('lists controllers even for an app that has none, because an empty list would register every class', () => {
    expect(app.auth.serverOptions().controllers?.length).toBeGreaterThan(0);
    expect(app.auth.serverOptions().controllers).not.toContain(AppController);
  });
});
