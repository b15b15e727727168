import { getMetadataArgsStorage } from 'routing-controllers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { AppServerOptions } from '../../src/index.js';
import type { OpenApiDocument } from '../../src/openapi/index.js';
import {
  ForeignController,
  GrantsController,
  InOurPlaceController,
  OrdersController,
  OtherOrdersController,
  StaffController,
  TokensController,
} from '../support/documented.controllers.js';
import { documentOf, expectWhole } from '../support/documented-app.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

describe("the document of the app's own routes", () => {
  let app: TestApp;
  let described: OpenApiDocument;
  const operation = (method: string, path: string) => described.paths[path]?.[method];
  const codes = (method: string, path: string, status: number) =>
    JSON.stringify(operation(method, path)?.responses[status] ?? {}).match(/"enum":\[([^\]]*)\]/)?.[1];

  beforeAll(async () => {
    app = await createTestApp();
    described = documentOf(app, { controllers: [OrdersController, StaffController] });
  });
  afterAll(() => app.close());

  test('is valid and complete, without the routes of another app', async () => {
    expect(getMetadataArgsStorage().controllers.map(({ target }) => target)).toContain(ForeignController);
    await expectWhole(described);
    const paths = Object.keys(described.paths).filter((path) => !path.startsWith('/auth/'));
    expect(paths.sort()).toEqual([
      '/admin/mottos',
      '/admin/report',
      '/orders',
      '/orders/anything',
      '/orders/last',
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

  test('requires a token where @Authorized or @CurrentUser does, and describes the answer to a request without one', () => {
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

  test('has the content of the decorators', () => {
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
        402: { headers: { 'X-Price': { schema: { type: ['integer', 'null'] } } } },
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
    expect(Object.keys(described.paths['/orders/anything'] ?? {})).toEqual(['get', 'put', 'post', 'delete', 'patch']);
    expect(operation('put', '/orders/anything')?.operationId).toBe('login3');
  });

  test('has no success status that an action without a result never has', () => {
    const successes = (method: string, path: string) =>
      Object.entries(operation(method, path)?.responses ?? {}).filter(([status]) => status.startsWith('2'));
    const empty = ['204', { description: 'No content' }];
    expect(successes('delete', '/orders/{id}')).toEqual([empty]);
    const order = { content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } } };
    expect(successes('get', '/orders/last')).toEqual([['200', expect.objectContaining(order)], empty]);
  });

  test('has the schemas of the classes in the dialect of 3.1, and keeps classes of the same name apart', () => {
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

  test('does not guess which of two schemas of one name is meant', () => {
    const cases: [NonNullable<AppServerOptions['controllers']>, RegExp][] = [
      [[OrdersController, OtherOrdersController], /two classes are named Order/],
      [[TokensController], /the schema name AuthTokens belongs to jwt-allauth/],
      [[GrantsController], /the schema name AuthTokens belongs to jwt-allauth/],
    ];
    for (const [controllers, sentence] of cases) expect(() => documentOf(app, { controllers })).toThrow(sentence);
    const given = () => documentOf(app, {}, { schemas: { AuthTokens: { type: 'string' } } });
    expect(given).toThrow(new TypeError('the schema name AuthTokens belongs to jwt-allauth; choose another name'));
  });

  test("describes the app's own route if it replaces one of the library", async () => {
    const shadowed = await createTestApp({ controllers: [InOurPlaceController] });
    onTestFinished(() => shadowed.close());
    expect((await fetch(`${shadowed.url}/auth/user`)).status).toBe(200);
    const described = documentOf(shadowed, { controllers: [InOurPlaceController] });
    expect(described.paths['/auth/user']?.['get']).not.toHaveProperty('security');
    expect(described.paths['/auth/user']?.['patch']).toHaveProperty('security');
    expect(described.paths).not.toHaveProperty(['/auth/sessions/{id}']);
    expect(described.paths['/auth/sessions/{key}']).toHaveProperty('delete');
    expect(described.components.schemas).toHaveProperty(['toString', 'properties', 'text']);
    await expectWhole(described);
  });

  test('accepts schemas of the app', () => {
    const schemas = { Order: { type: 'string', nullable: true }, Idle: { type: 'string' } };
    const given = documentOf(app, { controllers: [OrdersController] }, { schemas });
    expect(given.components.schemas['Order']).toEqual({ type: ['string', 'null'] });
    expect(given.components.schemas).not.toHaveProperty('Idle');
    expect(given.components.schemas).not.toHaveProperty('Line');
  });
});
