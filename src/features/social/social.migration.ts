import { AuthMigration } from '../../database/auth-migration.js';
import {
  SOCIAL_ACCOUNT_ENTITY,
  SOCIAL_EXCHANGE_ENTITY,
  SOCIAL_STATE_ENTITY,
  SOCIAL_USED_TOKEN_ENTITY,
} from './social.entity.js';

/** Creates the tables of connected accounts, of pending sign-ins, of exchange codes and of used ID tokens. */
export class CreateSocial extends AuthMigration {
  up(): void {
    this.#createAccounts();
    this.#createExchanges();
    const [state, used] = [this.table(SOCIAL_STATE_ENTITY), this.table(SOCIAL_USED_TOKEN_ENTITY)];
    this.addSql(
      `create table ${state.name} (
        ${state.column('hash')} varchar(43) not null primary key,
        ${state.column('browser')} varchar(43) not null,
        ${state.column('data')} text not null,
        ${state.column('expiresAt')} timestamptz(3) not null
      )`,
      `create table ${used.name} (
        ${used.column('hash')} varchar(43) not null primary key,
        ${used.column('expiresAt')} timestamptz(3) not null
      )`,
    );
  }

  #createAccounts(): void {
    const [account, user] = [this.table(SOCIAL_ACCOUNT_ENTITY), this.target(SOCIAL_ACCOUNT_ENTITY, 'user')];
    const identity = `${account.column('issuer')}, ${account.column('sub')}`;
    this.addSql(
      `create table ${account.name} (
        ${account.column('id')} uuid not null primary key,
        ${account.column('user')} ${account.columnType('user')} not null,
        ${account.column('provider')} varchar(32) not null,
        ${account.column('issuer')} text not null,
        ${account.column('sub')} varchar(255) not null,
        ${account.column('email')} varchar(254) null,
        ${account.column('tokens')} text null,
        ${account.column('connectedAt')} timestamptz(3) not null,
        ${account.column('lastUsedAt')} timestamptz(3) not null,
        constraint ${account.constraint(['issuer', 'sub'], 'unique')} unique (${identity}),
        constraint ${account.constraint('user', 'foreign')} foreign key (${account.column('user')})
          references ${user.name} (${user.column('id')}) on delete cascade
      )`,
      `create index ${account.constraint('user', 'index')} on ${account.name} (${account.column('user')})`,
    );
  }

  #createExchanges(): void {
    const [exchange, user] = [this.table(SOCIAL_EXCHANGE_ENTITY), this.target(SOCIAL_EXCHANGE_ENTITY, 'user')];
    this.addSql(
      `create table ${exchange.name} (
        ${exchange.column('hash')} varchar(43) not null primary key,
        ${exchange.column('user')} ${exchange.columnType('user')} not null,
        ${exchange.column('credentialEpoch')} int not null,
        ${exchange.column('amr')} text[] not null,
        ${exchange.column('authTime')} timestamptz(3) not null,
        ${exchange.column('expiresAt')} timestamptz(3) not null,
        constraint ${exchange.constraint('user', 'foreign')} foreign key (${exchange.column('user')})
          references ${user.name} (${user.column('id')}) on delete cascade
      )`,
      `create index ${exchange.constraint('user', 'index')} on ${exchange.name} (${exchange.column('user')})`,
    );
  }

  down(): void {
    const tables = [SOCIAL_USED_TOKEN_ENTITY, SOCIAL_EXCHANGE_ENTITY, SOCIAL_STATE_ENTITY, SOCIAL_ACCOUNT_ENTITY];
    this.addSql(...tables.map((name) => `drop table ${this.table(name).name}`));
  }
}
