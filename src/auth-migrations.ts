import { AuthMigration, type NamedMigration } from './database/auth-migration.js';
import { COUNTER_ENTITY } from './limits/counter.entity.js';
import { OUTBOX_MAIL_ENTITY } from './mail/outbox-mail.entity.js';
import type { AuthModule } from './module.js';
import { AUDIT_EVENT_ENTITY } from './observability/audit-event.entity.js';
import { REVOCATION_ENTITY } from './sessions/revocation.entity.js';
import { SESSION_ENTITY } from './sessions/session.entity.js';
import { AddSessionKeys } from './sessions/session-keys.migration.js';
import { AddSecondFactors } from './sign-in/second-factors.migration.js';
import { AddSignInCompletions } from './sign-in/sign-in-completions.migration.js';
import { ONE_TIME_KEY_ENTITY } from './tokens/one-time-key.entity.js';
import { AddUndoFactors } from './tokens/undo-factors.migration.js';
import { ACCOUNT_ENTITY } from './users/account.entity.js';
import { PENDING_SIGN_UP_ENTITY } from './users/pending-sign-up.entity.js';
import { AddSignUpCompletions } from './users/sign-up-completions.migration.js';

/** Creates the tables of sessions and of rate limit counters. The app's user table must exist. */
class CreateAuthTables extends AuthMigration {
  up(): void {
    const session = this.table(SESSION_ENTITY);
    const counter = this.table(COUNTER_ENTITY);
    const user = this.target(SESSION_ENTITY, 'user');
    // The fillfactor leaves room for new versions of rows on their page, so that rotations are HOT updates.
    this.addSql(
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
    this.addSql(`drop table ${this.table(SESSION_ENTITY).name}`, `drop table ${this.table(COUNTER_ENTITY).name}`);
  }
}

/** Adds the device columns of sessions, and the tables of revocations and of the audit log. */
class AddSessionControl extends AuthMigration {
  up(): void {
    const session = this.table(SESSION_ENTITY);
    const revocation = this.table(REVOCATION_ENTITY);
    const audit = this.table(AUDIT_EVENT_ENTITY);
    const key = [revocation.column('revokedAt'), revocation.column('session')];
    this.addSql(
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
    this.addSql(
      `alter table ${session.name} ${columns.join(', ')}`,
      `drop table ${this.table(REVOCATION_ENTITY).name}`,
      `drop table ${this.table(AUDIT_EVENT_ENTITY).name}`,
    );
  }
}

/** Adds the tables of mailed keys and of the outbox. */
class AddAccountsByMail extends AuthMigration {
  up(): void {
    const key = this.table(ONE_TIME_KEY_ENTITY);
    const mail = this.table(OUTBOX_MAIL_ENTITY);
    const user = this.target(ONE_TIME_KEY_ENTITY, 'user');
    this.addSql(
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
    this.addSql(
      `drop table ${this.table(ONE_TIME_KEY_ENTITY).name}`,
      `drop table ${this.table(OUTBOX_MAIL_ENTITY).name}`,
    );
  }
}

/** Adds columns for the origin of rotations, which detect a thief who presents each token shortly after the owner. */
class AddRotationOrigin extends AuthMigration {
  up(): void {
    const session = this.table(SESSION_ENTITY);
    this.addSql(
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
    this.addSql(`alter table ${session.name} ${columns.join(', ')}`);
  }
}

/** Adds the table of unconfirmed sign-ups. Unconfirmed users of older versions stay users. */
class AddPendingSignUps extends AuthMigration {
  up(): void {
    const signUp = this.table(PENDING_SIGN_UP_ENTITY);
    const key = this.table(ONE_TIME_KEY_ENTITY);
    const purpose = key.column('purpose');
    this.addSql(
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
    this.addSql(`drop table ${this.table(PENDING_SIGN_UP_ENTITY).name}`);
  }
}

/** Adds an index on the addresses of mailed keys: sign-ups check whether an undo link can restore their address. */
class IndexFormerAddresses extends AuthMigration {
  up(): void {
    const key = this.table(ONE_TIME_KEY_ENTITY);
    this.addSql(`create index ${key.constraint('email', 'index')} on ${key.name} (${key.column('email')})`);
  }

  down(): void {
    const key = this.table(ONE_TIME_KEY_ENTITY);
    this.addSql(`drop index ${key.schema}${key.constraint('email', 'index')}`);
  }
}

/** Adds time, origin and key expiry to unconfirmed sign-ups. */
class AddSignUpOrigins extends AuthMigration {
  up(): void {
    const signUp = this.table(PENDING_SIGN_UP_ENTITY);
    this.addSql(
      `alter table ${signUp.name}
        add column ${signUp.column('keyExpiresAt')} timestamptz(3) null,
        add column ${signUp.column('createdAt')} timestamptz(3) null,
        add column ${signUp.column('signedUpFrom')} varchar(160) null`,
    );
  }

  down(): void {
    const signUp = this.table(PENDING_SIGN_UP_ENTITY);
    const columns = ['keyExpiresAt', 'createdAt', 'signedUpFrom'].map((name) => `drop column ${signUp.column(name)}`);
    this.addSql(`alter table ${signUp.name} ${columns.join(', ')}`);
  }
}

/**
 * Adds authentication methods, authentication time and bound claims to sessions. In existing sessions the
 * authentication time is the time when they were opened.
 */
class AddSessionContext extends AuthMigration {
  up(): void {
    const session = this.table(SESSION_ENTITY);
    this.addSql(
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
    this.addSql(`alter table ${session.name} ${columns.join(', ')}`);
  }
}

/** Adds the table of account states, with a row for each invited user. Other users are `in_use` and need no row. */
class AddAccounts extends AuthMigration {
  up(): void {
    const account = this.table(ACCOUNT_ENTITY);
    const key = this.table(ONE_TIME_KEY_ENTITY);
    const user = this.target(ACCOUNT_ENTITY, 'user');
    const [owner, state, expiresAt, epoch] = ['user', 'state', 'invitationExpiresAt', 'credentialEpoch'].map((name) =>
      account.column(name),
    );
    this.addSql(
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
    this.addSql(`drop table ${this.table(ACCOUNT_ENTITY).name}`);
  }
}

/** The migrations of the library's own tables, oldest first. */
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
  { name: 'JwtAllauth_20261130_c_second_factors', class: AddSecondFactors },
  { name: 'JwtAllauth_20261130_d_sign_in_completions', class: AddSignInCompletions },
  { name: 'JwtAllauth_20261130_e_undo_factors', class: AddUndoFactors },
  { name: 'JwtAllauth_20261130_f_sign_up_completions', class: AddSignUpCompletions },
  { name: 'JwtAllauth_20261130_g_session_keys', class: AddSessionKeys },
];

/**
 * The migrations of the library and of the app's modules. Add them to `migrationsList` of the MikroORM options, after
 * the app's own. Do not add them if you generate your migrations from the entities (`migration:create`): these contain
 * the library's tables already.
 */
export function authMigrations(modules: readonly AuthModule[] = []): NamedMigration[] {
  return [...LIBRARY_MIGRATIONS, ...modules.flatMap(({ migrations = [] }) => migrations)];
}
