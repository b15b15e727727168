import { AuthMigration } from '../database/auth-migration.js';
import { ACCOUNT_ENTITY } from '../users/account.entity.js';
import { CHALLENGE_ENTITY } from './challenge.entity.js';

/** Adds the second factors of users, and the table of sign-ins that wait for a second factor. */
export class AddSecondFactors extends AuthMigration {
  up(): void {
    const account = this.table(ACCOUNT_ENTITY);
    const challenge = this.table(CHALLENGE_ENTITY);
    const user = this.target(CHALLENGE_ENTITY, 'user');
    const owner = challenge.column('user');
    this.addSql(
      `alter table ${account.name} add column ${account.column('secondFactors')} text[] not null default '{}'`,
      `create table ${challenge.name} (
        ${challenge.column('hash')} varchar(43) not null primary key,
        ${owner} ${challenge.columnType('user')} not null,
        ${challenge.column('credentialEpoch')} int not null,
        ${challenge.column('credentials')} varchar(43) not null,
        ${challenge.column('methods')} text[] not null,
        ${challenge.column('amr')} text[] not null,
        ${challenge.column('claims')} jsonb null,
        ${challenge.column('attempts')} smallint not null default 0,
        ${challenge.column('expiresAt')} timestamptz(3) not null,
        constraint ${challenge.constraint('user', 'foreign')} foreign key (${owner})
          references ${user.name} (${user.column('id')}) on delete cascade
      )`,
      `create index ${challenge.constraint('user', 'index')} on ${challenge.name} (${owner})`,
    );
  }

  down(): void {
    const account = this.table(ACCOUNT_ENTITY);
    this.addSql(
      `drop table ${this.table(CHALLENGE_ENTITY).name}`,
      `alter table ${account.name} drop column ${account.column('secondFactors')}`,
    );
  }
}
