import { randomUUID } from 'node:crypto';
import { IntegerType } from '@mikro-orm/core';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { afterEach, describe, expect, test } from 'vitest';
import { BaseUser, RefreshToken, TokenFactory } from '../../src/index.js';
import { BoundClient } from '../support/bound-client.js';
import { countQueries } from '../support/query-count.js';
import { claimsOf, createOwner, type Owner } from '../support/race.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/test-app.js';
import type { AppUser } from '../support/users.js';

let app: TestApp;
afterEach(() => app.close());

async function start(options: TestAppOptions = {}): Promise<Owner> {
  app = await createTestApp({ ...options, settings: { refreshToken: RefreshToken, ...options.settings } });
  return createOwner(app);
}

/** The kinds of the statements that a refresh sends: their first words. */
async function kindsOf(refresh: () => Promise<{ status: number }>): Promise<string[]> {
  const queries = await countQueries(app.orm, async () => expect((await refresh()).status).toBe(200));
  return queries.map((text) => text.trim().split(/\s/)[0] as string);
}

describe("a refresh with the library's token class", () => {
  test("is one statement, and has the user's values of that moment", async () => {
    const { id, client } = await start();
    const { claims } = { claims: claimsOf(client.access) };
    await app.database.pool.query('update app_user set role = 7, email_verified = true where id = $1', [id]);
    expect(await kindsOf(() => client.refresh())).toEqual(['update']);
    expect(claimsOf(client.access)).toMatchObject({ sub: id, role: 7, email_verified: true, session: claims.session });
    expect(claimsOf(client.refreshToken)).toMatchObject({ sub: id, role: 7, email_verified: true });
    expect(Object.keys(claimsOf(client.access)).toSorted()).toEqual(Object.keys(claims).toSorted());
  });

  test('is one statement with a proof too, and with the one that binds the session', async () => {
    const { client } = await start({ settings: { dpop: 'optional' } });
    const bound = Object.assign(await BoundClient.of(app), { refreshToken: client.refreshToken });
    const parent = bound.refreshToken;
    for (let times = 0; times < 3; times++) {
      expect(await kindsOf(() => bound.refresh())).toEqual(['update']);
      expect(claimsOf(bound.refreshToken).cnf).toEqual({ jkt: bound.key.thumbprint });
      if (times === 0) {
        bound.refreshToken = parent; // the answer was lost
        expect(await kindsOf(() => bound.refresh())).toEqual(['update', 'select', 'update']);
      }
    }
  });

  test('is written together with its event if there is an audit log', async () => {
    const { client } = await start({ settings: { auditLog: true } });
    expect(await kindsOf(() => client.refresh())).toEqual(['start', 'update', 'insert', 'commit']);
  });

  test('dates the access token at the rotation, however long the answer takes', async () => {
    // A revocation in between is kept for the lifetime of an access token from then on, and not longer.
    const { client } = await start();
    const { clock, auth } = app;
    const before = Math.floor(clock.now() / 1000);
    auth.events.on('session.refreshed', () => clock.advance(3600));
    expect((await client.refresh()).status).toBe(200);
    expect(claimsOf(client.access)).toMatchObject({ iat: before, exp: before + auth.settings.accessTokenLifetime });
  });

  test('on a server whose clock is behind keeps the date of the parent', async () => {
    const { client } = await start();
    app.clock.advance(60);
    expect((await client.refresh()).status).toBe(200);
    const { iat } = claimsOf(client.refreshToken);
    app.clock.advance(-30);
    expect(await kindsOf(() => client.refresh())).toEqual(['update', 'select', 'update']);
    expect(claimsOf(client.refreshToken).iat).toBe(iat);
  });
});

/** A role with a different form in the app and in the database. */
class ShiftedRole extends IntegerType {
  override convertToJSValue(value: unknown): number {
    return Number(value) + 100;
  }

  override convertToDatabaseValue(value: unknown): number {
    return Number(value) - 100;
  }
}

@Entity()
class ShiftedUser extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: ShiftedRole })
  override role: number = 100;
}

class OwnFactory extends TokenFactory {
  override async prepare(user: AppUser) {
    const prepared = await super.prepare(user);
    prepared.refresh.payload.own = true;
    return prepared;
  }
}

describe('a refresh for which code of the app runs', () => {
  test('reads first if USER_ATTRIBUTES names claims', async () => {
    const { client } = await start({ settings: { userAttributes: { org: 'organization.name' } } });
    expect((await kindsOf(() => client.refresh()))[0]).toBe('select');
    expect(claimsOf(client.access)).toHaveProperty('org');
  });

  test('reads first if the app replaces the token factory', async () => {
    const { client } = await start({ auth: { services: [OwnFactory] } });
    expect(await kindsOf(() => client.refresh())).toEqual(['select', 'update']);
    expect(claimsOf(client.access)).toHaveProperty('own', true);
  });

  test('reads first if a type of the app converts the role', async () => {
    app = await createTestApp({ user: ShiftedUser });
    const client = await app.signedUp();
    await app.database.pool.query('update shifted_user set role = 5');
    expect(await kindsOf(() => client.refresh())).toEqual(['select', 'update']);
    expect(claimsOf(client.access)).toHaveProperty('role', 105);
  });
});
