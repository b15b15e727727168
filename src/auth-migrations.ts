import { AuthMigration, type NamedMigration } from './database/auth-migration.js';
import { COUNTER_ENTITY } from './limits/counter.entity.js';
import { OUTBOX_MAIL_ENTITY } from './mail/outbox-mail.entity.js';
import type { AuthModule } from './module.js';
import { AUDIT_EVENT_ENTITY } from './observability/audit-event.entity.js';
import { REVOCATION_ENTITY } from './sessions/revocation.entity.js';
import { SESSION_ENTITY } from './sessions/session.entity.js';
import { ONE_TIME_KEY_ENTITY } from './tokens/one-time-key.entity.js';
import { ACCOUNT_ENTITY } from './users/account.entity.js';
import { PENDING_SIGN_UP_ENTITY } from './users/pending-sign-up.entity.js';

/** Creates the whitelist and the counters under limits; the app's user table must be there already. */
class CreateAuthTables extends AuthMigration {
  up(): void {
    const session = this.table(SESSION_ENTITY);
    const counter = this.table(COUNTER_ENTITY);
    const user = this.target(SESSION_ENTITY, 'user');
    // A quarter of each page stays free for the next version of its rows: rotation is a HOT update from the first on.
    this.run(
      `create table ${session.name} (
        ${session.column('id')} uuid not null primary key,
        ${session.column('user')} ${session.columnType('user')} not null,
        ${session.column('jti')} uuid not null,
        ${session.column('previousJti')} uuid null,
        ${session.column('rotatedAt')} timestamptz(3) not null,
        ${session.column('enabled')} boolean not null default true,
        ${session.column('createdAt')} timestamptz(3) not null,
        ${session.column('expiresAt')} timestamptz(3) not null,
        constraint ${session.constraint('user', 'foreign')} foreign key (${session.column('user')})
          references ${user.name} (${user.column('id')}) on delete cascade
      ) with (fillfactor = 75)`,
      `create index ${session.constraint('user', 'index')} on ${session.name} (${session.column('user')})`,
      `create table ${counter.name} (
        ${counter.column('key')} varchar(43) not null primary key,
        ${counter.column('count')} int not null,
        ${counter.column('resetsAt')} timestamptz(3) not null
      )`,
    );
  }

  down(): void {
    this.run(`drop table ${this.table(SESSION_ENTITY).name}`, `drop table ${this.table(COUNTER_ENTITY).name}`);
  }
}

/** Adds the devices of sessions, the sessions revoked lately, and the audit log. */
class AddSessionControl extends AuthMigration {
  up(): void {
    const session = this.table(SESSION_ENTITY);
    const revocation = this.table(REVOCATION_ENTITY);
    const audit = this.table(AUDIT_EVENT_ENTITY);
    const key = [revocation.column('revokedAt'), revocation.column('session')];
    this.run(
      `alter table ${session.name}
        add column ${session.column('ip')} varchar(45) null,
        add column ${session.column('browser')} varchar(64) null,
        add column ${session.column('os')} varchar(64) null,
        add column ${session.column('device')} varchar(64) null`,
      `create table ${revocation.name} (
        ${key[0]} timestamptz(3) not null,
        ${key[1]} uuid not null,
        primary key (${key.join(', ')})
      )`,
      `create table ${audit.name} (
        ${audit.column('id')} uuid not null primary key,
        ${audit.column('at')} timestamptz(3) not null,
        ${audit.column('event')} varchar(40) not null,
        ${audit.column('user')} varchar(64) null,
        ${audit.column('session')} uuid null,
        ${audit.column('details')} jsonb not null
      )`,
      `create index ${audit.constraint(['user', 'at'], 'index')}
        on ${audit.name} (${audit.column('user')}, ${audit.column('at')})`,
    );
  }

  down(): void {
    const session = this.table(SESSION_ENTITY);
    const columns = ['ip', 'browser', 'os', 'device'].map((name) => `drop column ${session.column(name)}`);
    this.run(
      `alter table ${session.name} ${columns.join(', ')}`,
      `drop table ${this.table(REVOCATION_ENTITY).name}`,
      `drop table ${this.table(AUDIT_EVENT_ENTITY).name}`,
    );
  }
}

/** Adds the keys of mailed links, and the mails that wait to be sent. */
class AddAccountsByMail extends AuthMigration {
  up(): void {
    const key = this.table(ONE_TIME_KEY_ENTITY);
    const mail = this.table(OUTBOX_MAIL_ENTITY);
    const user = this.target(ONE_TIME_KEY_ENTITY, 'user');
    this.run(
      `create table ${key.name} (
        ${key.column('hash')} varchar(43) not null primary key,
        ${key.column('purpose')} varchar(24) not null,
        ${key.column('user')} ${key.columnType('user')} not null,
        ${key.column('email')} varchar(254) not null,
        ${key.column('expiresAt')} timestamptz(3) not null,
        constraint ${key.constraint(['user', 'purpose'], 'unique')}
          unique (${key.column('user')}, ${key.column('purpose')}),
        constraint ${key.constraint('user', 'foreign')} foreign key (${key.column('user')})
          references ${user.name} (${user.column('id')}) on delete cascade
      )`,
      `create table ${mail.name} (
        ${mail.column('id')} uuid not null primary key,
        ${mail.column('recipient')} varchar(254) not null,
        ${mail.column('content')} text not null,
        ${mail.column('attempts')} int not null,
        ${mail.column('nextAttemptAt')} timestamptz(3) not null,
        ${mail.column('expiresAt')} timestamptz(3) not null
      )`,
      `create index ${mail.constraint('nextAttemptAt', 'index')} on ${mail.name} (${mail.column('nextAttemptAt')})`,
    );
  }

  down(): void {
    this.run(`drop table ${this.table(ONE_TIME_KEY_ENTITY).name}`, `drop table ${this.table(OUTBOX_MAIL_ENTITY).name}`);
  }
}

/** Adds to each session where it was rotated from, so that a thief who follows the owner is found. */
class AddRotationOrigin extends AuthMigration {
  up(): void {
    const session = this.table(SESSION_ENTITY);
    this.run(
      `alter table ${session.name}
        add column ${session.column('previousRotatedAt')} timestamptz(3) null,
        add column ${session.column('rotatedFrom')} bigint null,
        add column ${session.column('isFollowed')} boolean not null default false,
        add column ${session.column('followedGenerations')} smallint not null default 0`,
    );
  }

  down(): void {
    const session = this.table(SESSION_ENTITY);
    const added = ['previousRotatedAt', 'rotatedFrom', 'isFollowed', 'followedGenerations'];
    const columns = added.map((name) => `drop column ${session.column(name)}`);
    this.run(`alter table ${session.name} ${columns.join(', ')}`);
  }
}

/**
 * Adds the sign-ups that wait for their mail to be opened. Those who signed up before are users, and stay what they
 * are.
 */
class AddPendingSignUps extends AuthMigration {
  up(): void {
    const signUp = this.table(PENDING_SIGN_UP_ENTITY);
    const key = this.table(ONE_TIME_KEY_ENTITY);
    const purpose = key.column('purpose');
    this.run(
      `create table ${signUp.name} (
        ${signUp.column('id')} bigserial primary key,
        ${signUp.column('email')} varchar(254) not null,
        ${signUp.column('passwordHash')} text not null,
        ${signUp.column('fields')} jsonb not null,
        ${signUp.column('keyHash')} varchar(43) null,
        ${signUp.column('expiresAt')} timestamptz(3) not null,
        constraint ${signUp.constraint('keyHash', 'unique')} unique (${signUp.column('keyHash')})
      )`,
      `create index ${signUp.constraint(['email', 'id'], 'index')}
        on ${signUp.name} (${signUp.column('email')}, ${signUp.column('id')})`,
      `update ${key.name} k set ${purpose} = 'email-verification' where ${purpose} = 'registration' and not exists (
        select from ${key.name} o where o.${key.column('user')} = k.${key.column('user')}
          and o.${purpose} = 'email-verification')`,
    );
  }

  down(): void {
    this.run(`drop table ${this.table(PENDING_SIGN_UP_ENTITY).name}`);
  }
}

/**
 * Indexes the keys of mailed links by address: every sign-up looks whether a link can bring its address back to
 * somebody.
 */
class IndexFormerAddresses extends AuthMigration {
  up(): void {
    const key = this.table(ONE_TIME_KEY_ENTITY);
    this.run(`create index ${key.constraint('email', 'index')} on ${key.name} (${key.column('email')})`);
  }

  down(): void {
    const key = this.table(ONE_TIME_KEY_ENTITY);
    this.run(`drop index ${key.schema}${key.constraint('email', 'index')}`);
  }
}

/** Adds to each sign-up that waits when and from where it was made, for its mail, and an end of its own for its key. */
class AddSignUpOrigins extends AuthMigration {
  up(): void {
    const signUp = this.table(PENDING_SIGN_UP_ENTITY);
    this.run(
      `alter table ${signUp.name}
        add column ${signUp.column('keyExpiresAt')} timestamptz(3) null,
        add column ${signUp.column('createdAt')} timestamptz(3) null,
        add column ${signUp.column('signedUpFrom')} varchar(160) null`,
    );
  }

  down(): void {
    const signUp = this.table(PENDING_SIGN_UP_ENTITY);
    const columns = ['keyExpiresAt', 'createdAt', 'signedUpFrom'].map((name) => `drop column ${signUp.column(name)}`);
    this.run(`alter table ${signUp.name} ${columns.join(', ')}`);
  }
}

/** Adds to each session what it is worth. Users who are signed in proved it when their sessions were opened. */
class AddSessionContext extends AuthMigration {
  up(): void {
    const session = this.table(SESSION_ENTITY);
    this.run(
      `alter table ${session.name}
        add column ${session.column('amr')} text[] not null default '{}',
        add column ${session.column('authTime')} timestamptz(3) null,
        add column ${session.column('claims')} jsonb null`,
      `update ${session.name} set ${session.column('authTime')} = ${session.column('createdAt')}`,
    );
  }

  down(): void {
    const session = this.table(SESSION_ENTITY);
    const columns = ['amr', 'authTime', 'claims'].map((name) => `drop column ${session.column(name)}`);
    this.run(`alter table ${session.name} ${columns.join(', ')}`);
  }
}

/** Adds the state of accounts, with the users whose invitation was not used. All others are in use, and need no row. */
class AddAccounts extends AuthMigration {
  up(): void {
    const account = this.table(ACCOUNT_ENTITY);
    const key = this.table(ONE_TIME_KEY_ENTITY);
    const user = this.target(ACCOUNT_ENTITY, 'user');
    const [owner, state, expiresAt, epoch] = ['user', 'state', 'invitationExpiresAt', 'credentialEpoch'].map((name) =>
      account.column(name),
    );
    this.run(
      `create table ${account.name} (
        ${owner} ${account.columnType('user')} not null primary key,
        ${state} varchar(16) not null,
        ${expiresAt} timestamptz(3) null,
        ${epoch} int not null default 0,
        constraint ${account.constraint('user', 'foreign')} foreign key (${owner})
          references ${user.name} (${user.column('id')}) on delete cascade
      )`,
      `insert into ${account.name} (${owner}, ${state}, ${expiresAt})
        select ${key.column('user')}, 'invited', ${key.column('expiresAt')} from ${key.name}
        where ${key.column('purpose')} = 'invitation'`,
    );
  }

  down(): void {
    this.run(`drop table ${this.table(ACCOUNT_ENTITY).name}`);
  }
}

/** The migrations of the library's own tables, the oldest first. */
const LIBRARY_MIGRATIONS: readonly NamedMigration[] = [
  { name: 'JwtAllauth_20261124_create', class: CreateAuthTables },
  { name: 'JwtAllauth_20261125_session_control', class: AddSessionControl },
  { name: 'JwtAllauth_20261127_accounts_by_mail', class: AddAccountsByMail },
  { name: 'JwtAllauth_20261129_a_rotation_origin', class: AddRotationOrigin },
  { name: 'JwtAllauth_20261129_c_pending_sign_ups', class: AddPendingSignUps },
  { name: 'JwtAllauth_20261129_d_former_addresses', class: IndexFormerAddresses },
  { name: 'JwtAllauth_20261129_e_sign_up_origins', class: AddSignUpOrigins },
  { name: 'JwtAllauth_20261130_a_session_worth', class: AddSessionContext },
  { name: 'JwtAllauth_20261130_b_accounts', class: AddAccounts },
];

/**
 * The library's migrations, and those of the app's modules, for `migrationsList` behind the app's own. An app that
 * makes its migrations from its entities (`migration:create`) finds our tables there and does not list these.
 */
export function authMigrations(modules: readonly AuthModule[] = []): NamedMigration[] {
  return [...LIBRARY_MIGRATIONS, ...modules.flatMap(({ migrations = [] }) => migrations)];
}
