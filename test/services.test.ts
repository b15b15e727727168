import { inspect } from 'node:util';
import { Interceptor } from 'routing-controllers';
import { Container } from 'typedi';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createJwtAllauth, LoginService, SessionService, TokenFactory } from '../src/index.js';
import { ownContainer } from './support/containers.js';
import { ENCRYPTION_KEY } from './support/encryption-key.js';
import { createTestApp, SECRET, type TestApp } from './support/test-app.js';

let app: TestApp;
beforeAll(async () => {
  app = await createTestApp();
});
afterAll(() => app.close());

class Nothing {}
class OwnLogin extends LoginService {}
class OtherLogin extends LoginService {}

const start = (services: (new (...args: never[]) => object)[], container = Container.of('services')) =>
  createJwtAllauth({
    orm: app.orm,
    settings: { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY },
    services,
    container,
  });

test.each([
  ['extends no service of the library', [Nothing], 'services: Nothing extends no service of jwt-allauth'],
  ['is a service of the library itself', [LoginService], 'services: LoginService extends no service of jwt-allauth'],
  ['is one of two for the same service', [OwnLogin, OtherLogin], 'services: several classes extend LoginService'],
])('a start is refused with a service that %s', async (_, services, message) => {
  await expect(start(services)).rejects.toThrow(new TypeError(message));
});

test('a printed service shows neither the other services nor the ORM', async () => {
  const auth = await start([], Container.of('printed'));
  const printed = inspect(auth.sessions, { depth: 12, showHidden: true, getters: true });
  expect(printed).toContain('AuthKernel {}');
  expect(printed).not.toMatch(/MikroORM|SessionStore|Settings/);
  expect(printed.length).toBeLessThan(2000);
});

test('the printed library does not show the ORM, which knows the password of the database', async () => {
  const auth = await start([], Container.of('printed whole'));
  const printed = inspect(auth, { depth: 12, showHidden: true, getters: true });
  expect(printed).toContain('Database {}');
  expect(printed).not.toMatch(/MikroORM|postgresql:|clientUrl/);
});

test('the services of an app are in its container, a subclass under the class that it extends', async () => {
  const container = Container.of('with subclass');
  const auth = await start([OwnLogin], container);
  expect(container.get(LoginService)).toBeInstanceOf(OwnLogin);
  expect(container.get(SessionService)).toBe(auth.sessions);
  expect(container.get(TokenFactory)).toBe(auth.tokens);
});

test('an app with its own container adds nothing to the global one, not even controllers and middlewares', async () => {
  const inProcess = () => [...(Container.of() as unknown as { services: unknown[] }).services];
  const before = inProcess();
  const container = ownContainer('alone');
  const auth = await start([], container);
  class Around {
    intercept() {}
  }
  Interceptor()(Around);
  const { controllers = [], middlewares = [], interceptors = [] } = auth.serverOptions({ interceptors: [Around] });
  expect(inProcess()).toEqual(before);
  const ours = [...controllers, ...middlewares, ...interceptors] as (new () => object)[];
  expect(ours.length).toBeGreaterThan(10);
  for (const type of ours) expect(container.get(type), type.name).toBeInstanceOf(type);
});

test.each(['auth', '/auth/', '/', '', '/a b', '/auth/:id'])(
  'a start is refused with the prefix "%s"',
  async (prefix) => {
    const options = {
      orm: app.orm,
      settings: { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY },
      container: Container.of('prefix'),
    };
    await expect(createJwtAllauth({ ...options, prefix })).rejects.toThrow(/^prefix must be a path such as \/auth/);
  },
);
