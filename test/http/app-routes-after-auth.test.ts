import { createRequire } from 'node:module';
import express5, { type Express } from 'express';
import { Body, Get, JsonController, Middleware, Post } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';

@Service()
@JsonController('/orders')
class OrderController {
  @Get('/') all() {
    return [{ id: 1 }];
  }

  @Post('/') make(@Body() order: object) {
    return order;
  }
}

const after: string[] = [];

@Service()
@Middleware({ type: 'after' })
class AfterEachAnswer {
  use({ path }: { path: string }, _response: object, next: () => void) {
    after.push(path);
    next();
  }
}

describe.each([4, 5] as const)('on Express %i', (version) => {
  const express = version === 5 ? express5 : (createRequire(import.meta.url)('express4') as typeof express5);
  const unknown: string[] = [];
  const failed: unknown[] = [];
  let app: TestApp;
  beforeAll(async () => {
    const own: Express = express();
    own.use(express.json());
    const server = { middlewares: [AfterEachAnswer] };
    app = await createTestApp({ own, controllers: [OrderController], server });
    own.use((request, response) => {
      unknown.push(request.path);
      response.status(404).json({ own: true });
    });
    own.use(((error, _request, _response, next) => {
      failed.push(error);
      next(error);
    }) as express5.ErrorRequestHandler);
  });
  beforeEach(() => {
    after.length = unknown.length = failed.length = 0;
  });
  afterAll(() => app.close());

  test("the app's own handler of unknown URLs receives only these, and answers them", async () => {
    const client = await app.signedUp();
    expect((await client.send('GET', '/auth/user', undefined, client.bearer)).status).toBe(200);
    expect((await client.logout()).status).toBe(204);
    expect((await client.get('/orders')).body).toEqual([{ id: 1 }]);
    expect([unknown, failed]).toEqual([[], []]);
    expect(after).toEqual(['/auth/registration', '/auth/user', '/auth/logout', '/orders']);
    expectProblemDetails(await client.get('/auth/nothing'), 404, 'not_found');
    expect(unknown).toEqual([]);
    const answer = await client.get('/nothing');
    expect([answer.status, answer.body, unknown, failed]).toEqual([404, { own: true }, ['/nothing'], []]);
  });

  test("a body that the app has parsed reaches the app's own controllers", async () => {
    const answer = await app.client().send('POST', '/orders', { id: 2 });
    expect([answer.status, answer.body]).toEqual([200, { id: 2 }]);
    expect((await app.client().send('POST', '/orders', [1, 2])).body).toEqual([1, 2]);
    expectProblemDetails(await app.client().send('POST', '/orders', '{'), 400, 'malformed_json');
    expect(app.log).toEqual([]);
  });
});
