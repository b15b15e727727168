import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Validator } from '@seriousme/openapi-schema-validator';
import { getMetadataArgsStorage } from 'routing-controllers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthClient } from '../src/client/index.js';
import { type AppServerOptions, Settings, type SettingsInput } from '../src/index.js';
import type { OpenApiDocument } from '../src/openapi/index.js';
import { ownOperations } from '../src/openapi/own-operations.js';
import {
  ForeignController,
  InOurPlaceController,
  OrdersController,
  OtherOrdersController,
  StaffController,
  TokensController,
} from './support/documented.controllers.js';
import { documentOf, operationsOf } from './support/documented-app.js';
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

/** No request is sent here: one empty database is enough. */
async function start(settings: SettingsInput = {}): Promise<TestApp> {
  const app = await createTestApp({ settings, database });
  apps.push(app);
  return app;
}

const document = async (settings?: SettingsInput) => documentOf(await start(settings));

/** Names of the schemas that a part of a document refers to. */
const referred = (part: unknown) =>
  new Set([...JSON.stringify(part).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name));

async function expectWhole(described: OpenApiDocument) {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(JSON.parse(JSON.stringify(described)));
  expect(errors).toBeUndefined();
  expect([valid, validator.version]).toEqual([true, '3.1']);
  expect(new Set(Object.keys(described.components.schemas))).toEqual(referred(described));
  const operations = operationsOf(described).map(({ operation }) => operation);
  const ids = operations.map(({ operationId }) => operationId);
  expect(new Set(ids).size).toBe(ids.length);
  const schemes = operations.flatMap(({ security = [] }) => security.flatMap(Object.keys));
  expect(new Set(Object.keys(described.components.securitySchemes))).toEqual(new Set(schemes));
  expect(JSON.stringify(described)).not.toMatch(/"nullable"|"example"/);
  expect(JSON.parse(JSON.stringify(described))).toStrictEqual(described);
}

describe('the document of our endpoints', () => {
  test.each(Object.entries(CASES))('is valid and whole with %s', async (_name, settings) => {
    await expectWhole(await document(settings));
  });

  test.each(Object.entries(CASES))('has exactly the routes that are served with %s', async (_name, settings) => {
    const app = await start(settings);
    const { actions } = getMetadataArgsStorage();
    const served = actions
      .filter(({ target }) => app.auth.controllers.includes(target as never))
      .map(({ type, route }) => `${type} /auth${String(route).replace(/:(\w+)/g, '{$1}')}`);
    const described = operationsOf(documentOf(app)).map(({ method, path }) => `${method} ${path}`);
    expect(described.sort()).toEqual(served.sort());
  });

  test('describes no route that there is not', async () => {
    const { controllers } = (await start(CASES['invitations'])).auth;
    const actions = getMetadataArgsStorage().actions.filter(({ target }) => controllers.includes(target as never));
    const routes = actions.map(({ type, route }) => `${type.toUpperCase()} ${route}`);
    expect(Object.keys(ownOperations(new Settings())).sort()).toEqual(routes.sort());
  });

  test('calls operations as the client calls its methods', async () => {
    const ids = operationsOf(await document(CASES['invitations'])).map(({ operation }) => operation.operationId);
    const withoutEndpoint = ['constructor', 'state', 'restore', 'accessToken', 'close'];
    const methods = Object.getOwnPropertyNames(AuthClient.prototype).filter((name) => !withoutEndpoint.includes(name));
    const openedByPeople = [
      'openVerification',
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
    const app = await createTestApp({ database, auth: { prefix: '/accounts' } });
    apps.push(app);
    const { paths } = documentOf(app, { routePrefix: '/v1' });
    expect(Object.keys(paths)).toContain('/v1/accounts/login');
    expect(Object.keys(paths).every((path) => path.startsWith('/v1/accounts/'))).toBe(true);
  });

  test('refuses the options of another app', async () => {
    const [one, other] = [await start(), await start()];
    expect(() => documentOf({ auth: { ...one.auth, serverOptions: other.auth.serverOptions } })).toThrow(TypeError);
  });
});

describe("the document of the app's own routes", () => {
  let described: OpenApiDocument;
  const operation = (method: string, path: string) => described.paths[path]?.[method];
  const codes = (method: string, path: string, status: number) =>
    JSON.stringify(operation(method, path)?.responses[status] ?? {}).match(/"enum":\[([^\]]*)\]/)?.[1];

  beforeAll(async () => {
    described = documentOf(await start(), { controllers: [OrdersController, StaffController] });
  });

  test('is valid and whole, without what belongs to another app', async () => {
    expect(getMetadataArgsStorage().controllers.map(({ target }) => target)).toContain(ForeignController);
    await expectWhole(described);
    const paths = Object.keys(described.paths).filter((path) => !path.startsWith('/auth/'));
    expect(paths.sort()).toEqual([
      '/admin/mottos',
      '/admin/report',
      '/orders',
      '/orders/anything',
      '/orders/loose',
      '/orders/mine',
      '/orders/pin',
      '/orders/unruled',
      '/orders/{id}',
      '/orders/{id}/history',
    ]);
    const own = Object.keys(described.components.schemas).filter((name) => !name.startsWith('Auth'));
    expect(own).toEqual(['Line', 'LoginInput', 'Order', 'ProfileInput', 'Unruled']);
  });

  test('asks for a token where @Authorized or @CurrentUser does, and says what is answered without', () => {
    const bearer = [{ bearerAuth: [] }];
    expect(operation('post', '/orders')).toMatchObject({ security: bearer });
    expect(codes('post', '/orders', 401)).toBe('"not_authenticated","token_not_valid"');
    expect(operation('post', '/orders')?.responses).not.toHaveProperty('403');
    for (const [method, path] of [
      ['delete', '/orders/{id}'],
      ['get', '/admin/report'],
    ] as const) {
      expect(operation(method, path)).toMatchObject({ security: bearer });
      expect(codes(method, path, 403)).toBe('"permission_denied"');
    }
    expect(operation('get', '/orders/mine')).toMatchObject({ security: bearer });
    expect(operation('get', '/orders/{id}/history')).toMatchObject({ security: [{}, ...bearer] });
    expect(codes('get', '/orders/{id}/history', 401)).toBe('"token_not_valid"');
    expect(operation('get', '/orders')).not.toHaveProperty('security');
    expect(Object.keys(operation('get', '/orders')?.responses ?? {})).toEqual(['200', 'default']);
  });

  test('has what the decorators say', () => {
    const place = operation('post', '/orders');
    expect(place).toMatchObject({
      summary: 'Place an order',
      operationId: 'OrdersController.place',
      requestBody: {
        required: true,
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } },
      },
      responses: {
        200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } } },
        402: { description: 'Not paid' },
      },
    });
    expect(codes('post', '/orders', 400)).toBe('"validation_failed","malformed_json","bad_request"');
    expect(operation('get', '/orders')?.parameters).toEqual([
      { in: 'query', name: 'state', required: false, schema: { type: 'string', enum: ['new', 'sent'] } },
      { in: 'query', name: 'text', required: false, schema: { type: 'string', maxLength: 20 } },
    ]);
    expect(operation('get', '/orders/loose')?.parameters).toEqual([
      { in: 'query', name: 'since', required: false, schema: { type: 'string', format: 'date-time' } },
    ]);
    expect(operation('delete', '/orders/{id}')?.parameters).toEqual([
      { in: 'path', name: 'id', required: true, schema: { type: 'number', pattern: '\\d+' } },
    ]);
    expect(operation('delete', '/orders/{id}')?.responses['204']).toEqual({ description: 'No content' });
    expect(Object.keys(described.paths['/orders/anything'] ?? {})).toEqual(['get', 'put', 'post', 'delete', 'patch']);
    expect(operation('put', '/orders/anything')?.operationId).toBe('login3');
  });

  test('has the schemas of the classes in the dialect of 3.1, and does not mix those of one name', () => {
    expect(described.components.schemas).toMatchObject({
      Order: {
        type: 'object',
        properties: {
          colour: { type: ['string', 'null'], examples: ['blue'] },
          lines: { type: 'array', items: { $ref: '#/components/schemas/Line' } },
        },
        required: ['lines'],
      },
      Line: { properties: { article: { type: 'string' }, count: { minimum: 1 } }, required: ['article', 'count'] },
      LoginInput: { properties: { pin: { type: 'string' } }, required: ['pin'] },
      Unruled: { type: 'object' },
    });
    expect(described.components.schemas['LoginInput']?.['properties']).toEqual({ pin: { type: 'string' } });
    expect(described.components.schemas['ProfileInput']?.['properties']).toEqual({ motto: { type: 'string' } });
    expect(described.components.schemas['AuthLoginInput']).toMatchObject({ required: ['email', 'password'] });
  });

  test('does not guess which of two classes a name means', async () => {
    const app = await start();
    const cases: [NonNullable<AppServerOptions['controllers']>, RegExp][] = [
      [[OrdersController, OtherOrdersController], /two classes are named Order/],
      [[TokensController], /AuthTokens is a schema of jwt-allauth/],
    ];
    for (const [controllers, sentence] of cases) expect(() => documentOf(app, { controllers })).toThrow(sentence);
  });

  test("describes the app's own route where it answers in the place of ours", async () => {
    const app = await start();
    const described = documentOf(app, { controllers: [InOurPlaceController] });
    expect(described.paths['/auth/user']?.['get']).not.toHaveProperty('security');
    expect(described.paths['/auth/user']?.['patch']).toHaveProperty('security');
    expect(described.paths).not.toHaveProperty(['/auth/sessions/{id}']);
    expect(described.paths['/auth/sessions/{key}']).toHaveProperty('delete');
    expect(described.components.schemas).toHaveProperty(['toString', 'properties', 'text']);
    await expectWhole(described);
  });

  test('takes schemas of the app', async () => {
    const schemas = { Order: { type: 'string' }, Idle: { type: 'string' } };
    const given = documentOf(await start(), { controllers: [OrdersController] }, { schemas });
    expect(given.components.schemas['Order']).toEqual({ type: 'string' });
    expect(given.components.schemas).not.toHaveProperty('Idle');
    expect(given.components.schemas).not.toHaveProperty('Line');
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
