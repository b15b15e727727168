import { AuthMigration } from '../../database/auth-migration.js';
import { TOTP_ENTITY } from './totp.entity.js';

/** Creates the table of TOTP secrets. */
export class CreateTotp extends AuthMigration {
  up(): void {
    const [totp, user] = [this.table(TOTP_ENTITY), this.target(TOTP_ENTITY, 'user')];
    this.addSql(
      `create table ${totp.name} (
        ${totp.column('user')} ${totp.columnType('user')} not null primary key,
        ${totp.column('secret')} text not null,
        ${totp.column('lastStep')} int not null default 0,
        ${totp.column('recoveryCodes')} text[] not null default '{}',
        ${totp.column('expiresAt')} timestamptz(3) null,
        constraint ${totp.constraint('user', 'foreign')} foreign key (${totp.column('user')})
          references ${user.name} (${user.column('id')}) on delete cascade
      )`,
    );
  }

  down(): void {
    this.addSql(`drop table ${this.table(TOTP_ENTITY).name}`);
  }
}
