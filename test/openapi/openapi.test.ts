import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { IsInt } from 'class-validator';
import { Body, Get, Post, UseBefore } from 'routing-controllers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuthClient } from '../../src/client/index.js';
import { mailMethods } from '../../src/client/mail-methods.js';
import { stepUp } from '../../src/client/step-up.js';
import { AuthController } from '../../src/http/auth-controller.decorator.js';
import { DescribeRoute } from '../../src/http/describe-route.decorator.js';
import { errorsAsPages } from '../../src/http/pages/errors-as-pages.js';
import { ErrorCode, type SettingsInput } from '../../src/index.js';
import { createOpenApiDocument, type OpenApiDocument } from '../../src/openapi/index.js';
import { documentOf, expectWhole, operationsOf } from '../support/documented-app.js';
import { PUBLIC_URL } from '../support/mail-app.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

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
  everyRoute = requestsIn(await document(CASES['invitations']));
});
afterAll(async () => {
  for (const app of apps) await app.close();
  await database.drop();
});

/** No request here stores anything: one empty database is enough. */
async function start(settings: SettingsInput = {}): Promise<TestApp> {
  const app = await createTestApp({ settings, database });
  apps.push(app);
  return app;
}

const document = async (settings?: SettingsInput) => documentOf(await start(settings));

const requestsIn = (document: OpenApiDocument) =>
  operationsOf(document).map(({ method, path }) => `${method.toUpperCase()} ${path}`);

/** Every route that exists under some settings. */
let everyRoute: string[];

/**
 * Sends each request that is documented under some settings: its route exists if, and only if, the document has it.
 */
async function expectServed({ url }: TestApp, document: OpenApiDocument, prefix: string) {
  const all = everyRoute.map((request) => request.replace(' /auth', ` ${prefix}`));
  const found = await Promise.all(
    all.map(async (request) => {
      const [method = '', path = ''] = request.split(' ');
      const { status } = await fetch(url + path.replace(/\{\w+\}/, ':key'), { method, redirect: 'manual' });
      return status === 404 ? [] : [request];
    }),
  );
  expect(requestsIn(document).sort()).toEqual(found.flat().sort());
}

describe("the document of the library's endpoints", () => {
  test.each(Object.entries(CASES))('is valid and complete with %s', async (_name, settings) => {
    await expectWhole(await document(settings));
  });

  test.each(Object.entries(CASES))('has exactly the routes that are served with %s', async (_name, settings) => {
    const app = await start(settings);
    await expectServed(app, documentOf(app), '/auth');
  });

  test('names operations like the methods of the client', async () => {
    const ids = operationsOf(await document(CASES['invitations'])).map(({ operation }) => operation.operationId);
    const inherited = Object.getOwnPropertyNames(AuthClient.prototype);
    const withoutEndpoint = [
      ...['constructor', 'state', 'restore', 'accessToken', 'replaceToken', 'close', 'extend'],
      ...['subscribe', 'fetch', 'call', 'request', 'reasonsToRepeat'],
    ];
    const client = new AuthClient({ url: 'http://127.0.0.1/auth' }).extend(mailMethods).extend(stepUp(() => false));
    const methods = [...inherited, ...Object.keys(client)].filter((name) => !withoutEndpoint.includes(name));
    const others = [
      'keys', // for servers
      'openVerification',
      ...['openEmailUndo', 'showEmailUndoForm', 'undoEmailChange'],
      ...['PasswordReset', 'Invitation'].flatMap((id) => [`open${id}`, `show${id}Form`, `submit${id}Form`]),
    ];
    expect(ids.sort()).toEqual([...methods, ...others].sort());
  });

  test('omits the routes that the settings switch off', async () => {
    const paths = async (name: string) => Object.keys((await document(CASES[name])).paths);
    expect(await paths('cookies')).not.toContain('/auth/password/reset');
    expect(await paths('mails')).not.toContain('/auth/registration/user-register');
    expect(await paths('invitations only')).not.toContain('/auth/registration');
  });

  test('describes how tokens are sent', async () => {
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

  test('describes the required fields of a body', async () => {
    const { schemas } = (await document(CASES['invitations'])).components;
    const required = Object.entries(schemas).flatMap(([name, { required: fields }]) =>
      name.endsWith('Input') ? [[name, fields]] : [],
    );
    expect(Object.fromEntries(required)).toEqual({
      AuthAccountDeletionInput: undefined, // users without a password send none
      AuthEmailChangeInput: ['email'],
      AuthEmailInput: ['email'],
      AuthInvitationInput: ['email', 'role'],
      AuthLoginInput: ['email', 'password'],
      AuthNewPasswordInput: ['newPassword'],
      AuthPasswordChangeInput: ['newPassword'],
      AuthProfileInput: undefined,
      AuthRegistrationInput: ['email', 'password'],
    });
  });

  test('uses the prefix of the app and that of routing-controllers', async () => {
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

describe('a new controller', () => {
  class TreeInput {
    @IsInt()
    rings!: number;
  }
  const TREE = { name: 'AuthTree', schema: { type: 'object', properties: { rings: { type: 'integer' } } } };
  const cookie = { scheme: 'treeCookie', name: 'tree', description: 'Set when a tree is planted.' };
  const about = { tag: 'Trees', errors: [ErrorCode.Conflict] };

  @AuthController('/auth', { isBearer: true, isJsonOnly: true })
  class TreeController {
    @Post('/trees')
    @DescribeRoute({
      ...about,
      id: 'plant',
      summary: 'Plant a tree',
      body: TreeInput,
      answers: { 201: { description: 'It grows.', json: TREE } },
      isLimited: true,
    })
    plant(@Body() _tree: TreeInput) {}

    @Get('/trees/:id')
    @UseBefore(errorsAsPages)
    @DescribeRoute({ ...about, id: 'look', summary: 'See it', cookie, answers: { 200: { description: 'A page.' } } })
    look() {}
  }

  class SilentController {
    say() {}
  }
  Get('/silence')(SilentController.prototype, 'say');

  const otherTree = { name: 'AuthTree', schema: { type: 'string' } };

  @AuthController('/auth')
  class OtherTreeController {
    @Get('/other-trees')
    @DescribeRoute({
      ...about,
      id: 'others',
      summary: 'See others',
      answers: { 200: { description: 'Them.', json: { items: otherTree } } },
    })
    others() {}
  }

  /** The document of an app whose library has these controllers as well. */
  async function documentWith(...added: (new () => object)[]) {
    const { auth } = apps[0] as TestApp;
    const controllers = [...auth.controllers, ...added];
    return createOpenApiDocument({ ...auth, controllers }, { controllers }, { info: { title: 'Test', version: '1' } });
  }

  test('is documented with its schemas, its cookie and the errors of its decorators', async () => {
    const described = await documentWith(TreeController);
    await expectWhole(described);
    expect(described.components.schemas).toMatchObject({
      AuthTree: TREE.schema,
      AuthTreeInput: { properties: { rings: { type: 'integer' } }, required: ['rings'], additionalProperties: false },
    });
    expect(described.components.securitySchemes['treeCookie']).toEqual({
      type: 'apiKey',
      in: 'cookie',
      name: 'tree',
      description: 'Set when a tree is planted.',
    });
    const { post: plant } = described.paths['/auth/trees'] ?? {};
    const { get: look } = described.paths['/auth/trees/{id}'] ?? {};
    expect(plant).toMatchObject({ operationId: 'plant', security: [{ bearerAuth: [] }] });
    expect(Object.keys(plant?.responses ?? {})).toEqual([
      '201',
      '400',
      '401',
      '409',
      '413',
      '415',
      '429',
      '500',
      '503',
    ]);
    expect(look).toMatchObject({ security: [{ bearerAuth: [], treeCookie: [] }] });
    expect(look?.responses['409']?.content).toHaveProperty(['text/html']);
    expect(look?.responses).not.toHaveProperty('415');
  });

  test('is refused if an action has no description, or if one name would mean two schemas', async () => {
    await expect(documentWith(SilentController)).rejects.toThrow('SilentController.say has no @DescribeRoute');
    await expect(documentWith(TreeController, OtherTreeController)).rejects.toThrow(
      'two routes use the name AuthTree for different schemas',
    );
  });
});

describe('the older reflect-metadata that the generator installs', () => {
  const run = promisify(execFile);
  const main = fileURLToPath(new URL('../../dist/test/support/metadata-order-main.js', import.meta.url));

  test.each([
    ['reflect-metadata', 'jwt-allauth/openapi'],
    ['jwt-allauth/openapi', 'reflect-metadata'],
    ['routing-controllers-openapi', 'reflect-metadata'],
    ['reflect-metadata', 'routing-controllers-openapi'],
  ])('does not break injection or validation if %s is imported before %s', async (...order) => {
    const { stdout } = await run(process.execPath, [main, ...order]);
    expect(JSON.parse(stdout)).toEqual({
      answers: [{ status: 200, doubled: 4 }, { status: 400 }],
      schema: { $ref: '#/components/schemas/Outer' },
    });
  });
});
