import { randomUUID } from 'node:crypto';
import { BeforeUpdate, Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import type { EntityManager, EventArgs, EventSubscriber, FlushEventArgs } from '@mikro-orm/postgresql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BaseUser, createAuthEntities, type NewUser, UserCreationService } from '../../../src/index.js';
import { createMailApp, type MailApp } from '../../support/mail-app.js';
import { sentQueries } from '../../support/query-count.js';
import { PASSWORD } from '../../support/test-client.js';

@Entity({ tableName: 'versioned_user' })
class VersionedUser extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'integer', version: true })
  version!: number;

  @Property({ type: 'integer', onCreate: () => 0, onUpdate: (user: VersionedUser) => user.changes + 1 })
  changes!: number;

  @Property({ type: 'string', nullable: true, unique: true })
  username?: string;

  @BeforeUpdate()
  countHook(): void {
    hooks++;
  }
}

class NamedUsers extends UserCreationService {
  protected override createUser(em: EntityManager, newUser: NewUser): BaseUser {
    const user = super.createUser(em, newUser) as VersionedUser;
    user.username = `${newUser.fields.firstName}.${newUser.fields.lastName}`.toLowerCase();
    return user;
  }
}

/** Records what the app's subscriber receives. */
class Watcher implements EventSubscriber<VersionedUser> {
  readonly changeSets: { type: string; payload: string[] }[] = [];
  afterFlush({ uow }: FlushEventArgs): void {
    for (const { type, payload } of uow.getChangeSets())
      this.changeSets.push({ type, payload: Object.keys(payload).sort() });
  }
  async afterUpdate(_: EventArgs<VersionedUser>): Promise<void> {
    hooks++;
  }
}

let hooks = 0;
let app: MailApp;
let watcher: Watcher;
afterEach(() => app.close());

describe.each(['none', 'optional'] as const)('a sign-up with EMAIL_VERIFICATION=%s', (emailVerification) => {
  beforeEach(async () => {
    hooks = 0;
    watcher = new Watcher();
    const entities = [VersionedUser, ...createAuthEntities({ user: () => VersionedUser })];
    const orm = { entities, subscribers: [watcher] };
    app = await createMailApp({ emailVerification }, { user: VersionedUser, orm });
  });

  test('writes the user once: one INSERT, version 1, no update hook, and no hash in the change set of an update', async () => {
    const client = app.client();
    const sent = await sentQueries(app.orm, async () => {
      expect((await client.register('ada@example.com')).status).toBe(201);
    });
    const writes = sent.map(({ text }) => text.trim()).filter((text) => /^(insert|update).*versioned_user/.test(text));
    expect(writes).toEqual([expect.stringMatching(/^insert into "versioned_user"/)]);
    const { rows } = await app.database.pool.query('select version, changes from versioned_user');
    expect(rows).toEqual([{ version: 1, changes: 0 }]);
    expect(hooks).toBe(0);
    expect(watcher.changeSets.map(({ type }) => type)).toEqual(['create']);
    expect((await app.client().login('ada@example.com', PASSWORD)).status).toBe(200);
  });
});

test('an invitation writes the invited user once', async () => {
  hooks = 0;
  watcher = new Watcher();
  const entities = [VersionedUser, ...createAuthEntities({ user: () => VersionedUser })];
  app = await createMailApp({ invitations: true }, { user: VersionedUser, orm: { entities, subscribers: [watcher] } });
  const staff = await app.signedUp('staff@example.com');
  await app.database.pool.query('update versioned_user set role = 1000');
  watcher.changeSets.length = 0;
  const invitation = { email: 'eve@example.com', role: 0 };
  const invited = await staff.send('POST', '/auth/registration/user-register', invitation, staff.bearer);
  expect(invited.status).toBe(201);
  const { rows } = await app.database.pool.query('select version, changes from versioned_user where role = 0');
  expect([rows, hooks, watcher.changeSets.map(({ type }) => type)]).toEqual([
    [{ version: 1, changes: 0 }],
    0,
    ['create'],
  ]);
});

test('confirming a sign-up writes the user once, with the columns that the app fills', async () => {
  hooks = 0;
  watcher = new Watcher();
  const entities = [VersionedUser, ...createAuthEntities({ user: () => VersionedUser })];
  const orm = { entities, subscribers: [watcher] };
  const services = [NamedUsers];
  const settings = { emailVerification: 'mandatory', sessionOnEmailVerification: true } as const;
  app = await createMailApp(settings, { user: VersionedUser, orm, auth: { services } });
  const signUp = async (email: string, firstName: string) =>
    app.client().send('POST', '/auth/registration', { email, password: PASSWORD, firstName, lastName: 'L' });
  const { headers } = await signUp('ada@example.com', 'Ada');
  const cookie = headers.getSetCookie()[0]?.split(';')[0] ?? '';
  expect(watcher.changeSets).toEqual([]);
  const link = await app.linkTo('ada@example.com');
  const sent = await sentQueries(app.orm, async () => {
    expect((await app.open(link, { headers: { cookie } })).status).toBe(200);
  });
  const writes = sent.map(({ text }) => text.trim()).filter((text) => /^(insert|update).*versioned_user/.test(text));
  expect(writes).toEqual([expect.stringMatching(/^insert into "versioned_user"/)]);
  const { rows } = await app.database.pool.query('select * from versioned_user');
  const names = { first_name: 'Ada', last_name: 'L', username: 'ada.l' };
  expect(rows).toMatchObject([{ ...names, version: 1, changes: 0, email_verified: true, role: 0 }]);
  expect([hooks, watcher.changeSets.map(({ type }) => type), await app.liveSessions()]).toEqual([0, ['create'], 1]);

  // A conflict in another unique column of the app does not make the link invalid, and does not use it up.
  await signUp('adam@example.com', 'ADA');
  const second = await app.linkTo('adam@example.com');
  expect((await app.open(second)).status).toBe(500);
  await app.database.pool.query("update versioned_user set username = 'free'");
  expect((await app.open(second)).status).toBe(200);
});
