import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { getMetadataArgsStorage } from 'routing-controllers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthClient } from '../src/client/index.js';
import { Settings, type SettingsInput } from '../src/index.js';
import type { OpenApiDocument } from '../src/openapi/index.js';
import { ownOperations } from '../src/openapi/own-operations.js';
import { documentOf, expectWhole, operationsOf } from './support/documented-app.js';
import { PUBLIC_URL } from './support/mail-app.js';
import { createTestApp, type TestApp } from './support/test-app.js';
import { createTestDatabase, type TestDatabase } from './support/test-database.js';

const mails: SettingsInput = { publicUrl: PUBLIC_URL, development: true };

const CASES: Record<string, SettingsInput> = {
  cookies: {},
  bodies: { refreshTokenAsCookie: false },
  mails,
  'confirmed addresses': { ...mails, emailVerification: 'mandatory', sessionOnEmailVerification: true },
  'mails and bodies': { ...mails, refreshTokenAsCookie: false, emailVerifiedRedirect: 'https://app.example.com/in' },
  invitations: { ...mails, invitations: true },
  'invitations only': { ...mails, invitations: true, adminManagedRegistration: true },
};

let database: TestDatabase;
const apps: TestApp[] = [];
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(async () => {
  for (const app of apps) await app.close();
  await database.drop();
});

/** No request here leaves anything behind: one empty database is enough. */
async function start(settings: SettingsInput = {}): Promise<TestApp> {
  const app = await createTestApp({ settings, database });
  apps.push(app);
  return app;
}

const document = async (settings?: SettingsInput) => documentOf(await start(settings));

/**
 * Sends each request that we describe in any case of settings: it finds something if, and only if, the document has it.
 */
async function expectServed({ url }: TestApp, document: OpenApiDocument, prefix: string) {
  const all = Object.keys(ownOperations(new Settings())).map((request) => request.replace(' ', ` ${prefix}`));
  const found = await Promise.all(
    all.map(async (request) => {
      const [method = '', path = ''] = request.split(' ');
      const { status } = await fetch(url + path, { method, redirect: 'manual' });
      return status === 404 ? [] : [request.replace(/:(\w+)/g, '{$1}')];
    }),
  );
  const described = operationsOf(document).map(({ method, path }) => `${method.toUpperCase()} ${path}`);
  expect(described.sort()).toEqual(found.flat().sort());
}

describe('the document of our endpoints', () => {
  test.each(Object.entries(CASES))('is valid and whole with %s', async (_name, settings) => {
    await expectWhole(await document(settings));
  });

  test.each(Object.entries(CASES))('has exactly the routes that are served with %s', async (_name, settings) => {
    const app = await start(settings);
    await expectServed(app, documentOf(app), '/auth');
  });

  test('describes no route that there is not', async () => {
    const { controllers } = (await start(CASES['invitations'])).auth;
    const actions = getMetadataArgsStorage().actions.filter(({ target }) => controllers.includes(target as never));
    const routes = actions.map(({ type, route }) => `${type.toUpperCase()} ${route}`);
    expect(Object.keys(ownOperations(new Settings())).sort()).toEqual(routes.sort());
  });

  test('calls operations as the client calls its methods', async () => {
    const ids = operationsOf(await document(CASES['invitations'])).map(({ operation }) => operation.operationId);
    const withoutEndpoint = ['constructor', 'state', 'restore', 'accessToken', 'replaceToken', 'close'];
    const methods = Object.getOwnPropertyNames(AuthClient.prototype).filter((name) => !withoutEndpoint.includes(name));
    const openedByPeople = [
      'openVerification',
      ...['openEmailUndo', 'showEmailUndoForm', 'undoEmailChange'],
      ...['PasswordReset', 'Invitation'].flatMap((id) => [`open${id}`, `show${id}Form`, `submit${id}Form`]),
    ];
    expect(ids.sort()).toEqual([...methods, ...openedByPeople].sort());
  });

  test('leaves out what the settings leave out', async () => {
    const paths = async (name: string) => Object.keys((await document(CASES[name])).paths);
    expect(await paths('cookies')).not.toContain('/auth/password/reset');
    expect(await paths('mails')).not.toContain('/auth/registration/user-register');
    expect(await paths('invitations only')).not.toContain('/auth/registration');
  });

  test('says how tokens travel', async () => {
    const cookie = await document();
    const body = await document(CASES['bodies']);
    const named = await document({ refreshTokenCookieName: 'mine' });
    const refresh = ({ paths }: OpenApiDocument) => paths['/auth/refresh']?.['post'];
    expect(cookie.components.schemas['AuthTokens']).toMatchObject({ required: ['access'] });
    expect(body.components.schemas['AuthTokens']).toMatchObject({ required: ['access', 'refresh'] });
    expect(refresh(cookie)).toMatchObject({ security: [{ refreshCookie: [] }] });
    expect(refresh(cookie)).not.toHaveProperty('requestBody');
    expect(refresh(cookie)?.responses['200']?.headers).toHaveProperty('Set-Cookie');
    expect(refresh(body)).not.toHaveProperty('security');
    expect(refresh(body)?.requestBody?.required).toBe(true);
    expect(refresh(body)?.responses['200']).not.toHaveProperty('headers');
    expect(refresh(body)?.responses).not.toHaveProperty('403');
    expect(body.components.securitySchemes).not.toHaveProperty('refreshCookie');
    expect(named.components.securitySchemes['refreshCookie']).toMatchObject({ in: 'cookie', name: 'mine' });
  });

  test('says what a body must have', async () => {
    const { schemas } = (await document(CASES['invitations'])).components;
    const required = Object.entries(schemas).flatMap(([name, { required: fields }]) =>
      name.endsWith('Input') ? [[name, fields]] : [],
    );
    expect(Object.fromEntries(required)).toEqual({
      AuthAccountDeletionInput: ['password'],
      AuthEmailChangeInput: ['email', 'password'],
      AuthEmailInput: ['email'],
      AuthInvitationInput: ['email', 'role'],
      AuthLoginInput: ['email', 'password'],
      AuthNewPasswordInput: ['newPassword'],
      AuthPasswordChangeInput: ['newPassword', 'oldPassword'],
      AuthProfileInput: undefined,
      AuthRegistrationInput: ['email', 'password'],
    });
    const lax = await document({ oldPasswordFieldEnabled: false });
    expect(lax.components.schemas['AuthPasswordChangeInput']).toMatchObject({ required: ['newPassword'] });
  });

  test('follows the prefix of the app and that of routing-controllers', async () => {
    const server = { routePrefix: '/v1' };
    const app = await createTestApp({ database, auth: { prefix: '/accounts' }, server });
    apps.push(app);
    await expectServed(app, documentOf(app, server), '/v1/accounts');
  });

  test('refuses the options of another app', async () => {
    const [one, other] = [await start(), await start()];
    expect(() => documentOf({ auth: { ...one.auth, serverOptions: other.auth.serverOptions } })).toThrow(TypeError);
  });
});

describe('the older reflect-metadata that the generator brings', () => {
  const run = promisify(execFile);
  const main = fileURLToPath(new URL('../dist/test/support/metadata-order-main.js', import.meta.url));

  test.each([
    ['reflect-metadata', 'jwt-allauth/openapi'],
    ['jwt-allauth/openapi', 'reflect-metadata'],
    ['routing-controllers-openapi', 'reflect-metadata'],
    ['reflect-metadata', 'routing-controllers-openapi'],
  ])('breaks neither injection nor validation where %s comes before %s', async (...order) => {
    const { stdout } = await run(process.execPath, [main, ...order]);
    expect(JSON.parse(stdout)).toEqual({
      answers: [{ status: 200, doubled: 4 }, { status: 400 }],
      schema: { $ref: '#/components/schemas/Outer' },
    });
  });
});
