import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { setImmediate } from 'node:timers/promises';
import { Authorized, CurrentUser, Get, JsonController } from 'routing-controllers';
import { Service } from 'typedi';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { Principal, type SigningKeys, TokenFactory } from '../../src/index.js';
import { encode, openToken } from '../support/forge.js';
import { expectProblemDetails } from '../support/problem-details.js';
import { createTestApp, type TestApp } from '../support/test-app.js';
import type { TestClient } from '../support/test-client.js';

/** An action that tries to change its own claims. */
@Service()
@JsonController('/greedy')
class GreedyController {
  @Authorized()
  @Get('/')
  take(@CurrentUser() user: Principal) {
    const before = structuredClone(user.claims['permissions']);
    let refused = 0;
    for (const attempt of [
      () => (user.claims['permissions'] as string[]).push('everything'),
      () => Object.assign(user.claims, { role: 1000 }),
    ]) {
      try {
        attempt();
      } catch {
        refused++;
      }
    }
    return { before, role: user.role, refused };
  }
}

let withdrawn = false;

/** Keys that can be withdrawn, as in a key rotation. */
class WithdrawableKeys extends TokenFactory {
  constructor(...[kernel, ...others]: ConstructorParameters<typeof TokenFactory>) {
    const { keys } = kernel;
    const own: SigningKeys = { signing: keys.signing, find: (id) => (withdrawn ? undefined : keys.find(id)) };
    super({ ...kernel, keys: own }, ...others);
  }
}

describe('an access token that was verified a moment ago', () => {
  let app: TestApp;
  let client: TestClient;
  const verify = vi.spyOn(crypto, 'timingSafeEqual');
  syncBuiltinESMExports();
  beforeAll(async () => {
    app = await createTestApp({ controllers: [GreedyController], auth: { services: [WithdrawableKeys] } });
  });
  beforeEach(async () => {
    withdrawn = false;
    await app.database.pool.query('delete from app_user');
    client = await app.signedUp();
    verify.mockClear();
  });
  afterAll(async () => {
    verify.mockRestore();
    syncBuiltinESMExports();
    await app.close();
  });

  test('is not verified again', async () => {
    for (let use = 0; use < 3; use++) expect((await client.get('/greedy')).status).toBe(200);
    expect(verify).toHaveBeenCalledTimes(1);
  });

  test('has the same claims in every request, whatever an earlier one did with them', async () => {
    const expected = { status: 200, body: { before: ['read', 'write'], role: 0, refused: 2 } };
    await app.database.pool.query(`update app_user set permissions = '["read", "write"]'`);
    await client.refresh();
    expect(await client.get('/greedy')).toMatchObject(expected);
    expect(await client.get('/greedy')).toMatchObject(expected);
  });

  test('is refused from the second of its expiry on, without a check of its signature', async () => {
    expect((await client.get('/greedy')).status).toBe(200);
    app.clock.advance(30 * 60 - 1);
    expect((await client.get('/greedy')).status).toBe(200);
    app.clock.advance(1);
    expectProblemDetails(await client.get('/greedy'), 401, 'token_not_valid', [client.access]);
    expect(verify).toHaveBeenCalledTimes(1);
  });

  test('is refused as soon as its key is withdrawn', async () => {
    expect((await client.get('/greedy')).status).toBe(200);
    withdrawn = true;
    expectProblemDetails(await client.get('/greedy'), 401, 'token_not_valid', [client.access]);
  });

  test('does not make a token valid that differs in one character', async () => {
    expect((await client.get('/greedy')).status).toBe(200);
    const genuine = client.access;
    for (const position of [0, genuine.indexOf('.') + 5, genuine.length - 5]) {
      const other = genuine[position] === 'A' ? 'B' : 'A';
      client.access = genuine.slice(0, position) + other + genuine.slice(position + 1);
      expectProblemDetails(await client.get('/greedy'), 401, 'token_not_valid', [client.access]);
    }
  });

  test('does not make a token valid that ends with the same characters', async () => {
    expect((await client.get('/greedy')).status).toBe(200);
    const genuine = client.access;
    const { header, claims } = openToken(genuine);
    for (const changed of [claims, { ...claims, role: 1000 }]) {
      for (const kept of [32, 40, 43]) {
        const forged = `${encode(header)}.${encode(changed)}.${'A'.repeat(43)}`;
        client.access = forged.slice(0, -kept) + genuine.slice(-kept);
        if (client.access === genuine) continue; // the same claims and the whole signature
        expectProblemDetails(await client.get('/greedy'), 401, 'token_not_valid', [client.access]);
      }
    }
    client.access = genuine;
    expect((await client.get('/greedy')).status).toBe(200);
  });

  test('stays cached when a client sends thousands of invalid tokens', async () => {
    expect((await client.get('/greedy')).status).toBe(200);
    const [head, body] = client.access.split('.');
    for (let forgery = 0; forgery < 12_000; forgery++) {
      expect(() => app.auth.tokens.verifyAccess(`${head}.${body}.${forgery}`)).toThrow('The token is not valid.');
      if (forgery % 100 === 0) await setImmediate(); // otherwise errors with their stacks accumulate
    }
    verify.mockClear();
    expect((await client.get('/greedy')).status).toBe(200);
    expect(verify).not.toHaveBeenCalled();
  });
});
