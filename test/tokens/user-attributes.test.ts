import { randomUUID } from 'node:crypto';
import { Collection } from '@mikro-orm/core';
import { Embeddable, Embedded, Entity, ManyToOne, OneToMany, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Container } from 'typedi';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BaseUser, createAuthEntities, createJwtAllauth, SettingsError } from '../../src/index.js';
import { ENCRYPTION_KEY } from '../support/encryption-key.js';
import { openToken } from '../support/forge.js';
import { createTestApp, SECRET, type TestApp } from '../support/test-app.js';
import { BigintUser } from '../support/users.js';

@Entity({ tableName: 'company' })
class Company {
  @PrimaryKey({ type: 'bigint' })
  id!: bigint;

  @Property({ type: 'string' })
  name!: string;
}

@Entity({ tableName: 'team' })
class Team {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;

  @ManyToOne({ entity: () => Company, nullable: true })
  company?: Company | null;

  @OneToMany({ entity: () => Member, mappedBy: 'team' })
  members = new Collection<Member>(this);
}

@Embeddable()
class Address {
  @Property({ type: 'string', nullable: true })
  city?: string;
}

@Entity({ tableName: 'member' })
class Member extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'string', nullable: true })
  nickname?: string | null;

  @Property({ type: 'bigint', default: '9007199254740993' })
  balance: bigint = 9007199254740993n;

  @Property({ type: 'json', nullable: true })
  preferences?: { theme?: string };

  @Embedded({ entity: () => Address, nullable: true })
  address?: Address;

  @ManyToOne({ entity: () => Team, nullable: true })
  team?: Team | null;

  get label(): string {
    return `${this.nickname ?? 'nobody'}!`;
  }

  rename(): void {}
}

const memberApp = (userAttributes: Record<string, string> | string) =>
  createTestApp({
    user: Member,
    orm: { entities: [Member, Team, Company, Address, ...createAuthEntities({ user: () => Member })] },
    settings: { userAttributes },
  });

const custom = ({ claims }: { claims: object }) => {
  const ofSession = ['session', 'session_iat', 'amr', 'auth_time'];
  const own = ['sub', 'jti', 'iat', 'exp', 'token_type', ...ofSession, 'role', 'email_verified'];
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !own.includes(name)));
};

describe('USER_ATTRIBUTES', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await memberApp(
      JSON.stringify({
        nick: 'nickname',
        label: 'label',
        balance: 'balance',
        theme: 'preferences.theme',
        city: 'address.city',
        team_id: 'team.id',
        team: 'team.name',
        company_id: 'team.company.id',
        company: 'team.company.name',
      }),
    );
    const { pool } = app.database;
    await pool.query(`insert into company (id, name) values (9007199254740995, 'Acme')`);
    await pool.query(`insert into team (id, name, company_id) values (7, 'Red', 9007199254740995), (8, 'Blue', null)`);
  });
  afterAll(() => app.close());

  test('puts the values of the paths into both tokens, as of the last rotation, and null for missing ones', async () => {
    const client = await app.signedUp('member@example.com');
    const nowhere = {
      nick: null,
      label: 'nobody!',
      balance: '9007199254740993',
      theme: null,
      city: null,
      team_id: null,
      team: null,
      company_id: null,
      company: null,
    };
    const steps: [sql: string, expected: object][] = [
      ['select 1', nowhere],
      [
        `update member set nickname = 'Nick', team_id = 7, balance = 1, preferences = '{"theme":"dark"}', address_city = 'Oslo'`,
        {
          nick: 'Nick',
          label: 'Nick!',
          balance: '1',
          theme: 'dark',
          city: 'Oslo',
          team_id: 7,
          team: 'Red',
          company_id: '9007199254740995',
          company: 'Acme',
        },
      ],
      [
        `update member set team_id = 8, nickname = null, address_city = null, preferences = '{}', balance = 9007199254740993`,
        { ...nowhere, team_id: 8, team: 'Blue' },
      ],
      ['update member set team_id = null', nowhere],
    ];
    for (const [sql, expected] of steps) {
      await app.database.pool.query(sql);
      expect((await client.refresh()).status).toBe(200);
      expect(custom(openToken(client.access))).toEqual(expected);
      expect(custom(openToken(client.refreshToken))).toEqual(expected);
    }
  });

  test('are in the tokens from the first sign-up and at every sign-in', async () => {
    const client = await app.signedUp('first@example.com');
    expect(custom(openToken(client.access))).toMatchObject({ balance: '9007199254740993', team: null });
    await app.database.pool.query(`update member set team_id = 7 where email = 'first@example.com'`);
    await client.login('first@example.com');
    expect(custom(openToken(client.refreshToken))).toMatchObject({ team_id: 7, company: 'Acme' });
  });

  test.each<[what: string, attributes: Record<string, string>, ...named: string[]]>([
    ['a property that does not exist', { a: 'nobody' }, 'nobody'],
    ['a property of a relation that does not exist', { a: 'team.nobody' }, 'team.nobody'],
    ['a property two relations away that does not exist', { a: 'team.company.nobody' }, 'team.company.nobody'],
    ['a column instead of a property', { a: 'first_name' }, 'first_name'],
    ['a relation itself', { a: 'team' }, 'team'],
    ['a relation of a relation itself', { a: 'team.company' }, 'team.company'],
    ['something below a text', { a: 'email.domain' }, 'email.domain'],
    ['something below a number', { a: 'team.id.nobody' }, 'team.id.nobody'],
    ['something below an embedded object that does not exist', { a: 'address.nobody' }, 'address.nobody'],
    ['a method', { a: 'rename' }, 'rename'],
    ['the constructor', { a: 'constructor' }, 'constructor'],
    ['many users of a team', { a: 'team.members.email' }, 'team.members.email'],
    ['the password hash', { a: 'passwordHash' }, 'passwordHash'],
    ['a reserved claim', { sub: 'email' }, 'sub'],
    ['several at once', { role: 'nickname', b: 'nobody', c: 'nickname', d: 'no.where' }, 'role', 'nobody', 'no.where'],
  ])('USER_ATTRIBUTES that name %s stop the start', async (_, attributes, ...named) => {
    const settings = { secretKey: SECRET, encryptionKeys: ENCRYPTION_KEY, userAttributes: attributes };
    const starting = createJwtAllauth({ orm: app.orm, settings, container: Container.of('user attributes') });
    const outcome = await starting.catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(SettingsError);
    const { faults } = outcome as SettingsError;
    expect(faults.map(({ setting }) => setting)).toEqual(named.map(() => 'userAttributes'));
    for (const [index, name] of named.entries()) expect(faults[index]?.message).toContain(`"${name}"`);
  });
});

test('the key of a relation is read from the user, without a query on the other table', async () => {
  const app = await memberApp({ team_id: 'team.id' });
  const client = await app.signedUp('key@example.com');
  await app.database.pool.query(`insert into team (id, name) values (7, 'Red')`);
  await app.database.pool.query('update member set team_id = 7');
  await app.database.pool.query('alter table team rename to out_of_reach');
  expect((await client.refresh()).status).toBe(200);
  expect(custom(openToken(client.access))).toEqual({ team_id: 7 });
  expect((await client.login('key@example.com')).status).toBe(200);
  expect(custom(openToken(client.refreshToken))).toEqual({ team_id: 7 });
  await app.close();
});

test('a bigint key becomes a string, as sub does', async () => {
  const app = await createTestApp({ user: BigintUser, settings: { userAttributes: { key: 'id' } } });
  const { claims } = openToken((await app.signedUp()).access);
  expect(claims.key).toBe(claims.sub);
  expect(claims.sub).toBe('1');
  await app.close();
});
