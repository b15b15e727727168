import { AuthMigration } from '../../database/auth-migration.js';
import { PASSKEY_ENTITY, USED_PASSKEY_CHALLENGE_ENTITY } from './passkey.entity.js';

/** Creates the tables of passkeys and of used challenges. */
export class CreatePasskeys extends AuthMigration {
  up(): void {
    const [passkey, user] = [this.table(PASSKEY_ENTITY), this.target(PASSKEY_ENTITY, 'user')];
    const used = this.table(USED_PASSKEY_CHALLENGE_ENTITY);
    const owner = passkey.column('user');
    this.addSql(
      `create table ${passkey.name} (
        ${passkey.column('id')} uuid not null primary key,
        ${owner} ${passkey.columnType('user')} not null,
        ${passkey.column('credentialId')} varchar(1364) not null,
        ${passkey.column('userHandle')} varchar(86) not null,
        ${passkey.column('publicKey')} bytea not null,
        ${passkey.column('counter')} bigint not null,
        ${passkey.column('transports')} text[] not null,
        ${passkey.column('aaguid')} uuid not null,
        ${passkey.column('name')} varchar(64) not null,
        ${passkey.column('isBackupEligible')} boolean not null,
        ${passkey.column('isBackedUp')} boolean not null,
        ${passkey.column('provedEmail')} varchar(254) null,
        ${passkey.column('rpId')} varchar(253) not null,
        ${passkey.column('createdAt')} timestamptz(3) not null,
        ${passkey.column('lastUsedAt')} timestamptz(3) null,
        ${passkey.column('disabledAt')} timestamptz(3) null,
        constraint ${passkey.constraint('credentialId', 'unique')} unique (${passkey.column('credentialId')}),
        constraint ${passkey.constraint('user', 'foreign')} foreign key (${owner})
          references ${user.name} (${user.column('id')}) on delete cascade
      )`,
      `create index ${passkey.constraint('user', 'index')} on ${passkey.name} (${owner})`,
      `create table ${used.name} (
        ${used.column('hash')} varchar(43) not null primary key,
        ${used.column('expiresAt')} timestamptz(3) not null
      )`,
    );
  }

  down(): void {
    const tables = [USED_PASSKEY_CHALLENGE_ENTITY, PASSKEY_ENTITY];
    this.addSql(...tables.map((name) => `drop table ${this.table(name).name}`));
  }
}
