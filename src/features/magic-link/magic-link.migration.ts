import { AuthMigration } from '../../database/auth-migration.js';
import { MAGIC_LINK_ENTITY } from './magic-link.entity.js';

/** Creates the table of sign-ins by mail. */
export class CreateMagicLink extends AuthMigration {
  up(): void {
    const [link, user] = [this.table(MAGIC_LINK_ENTITY), this.target(MAGIC_LINK_ENTITY, 'user')];
    const owner = link.column('user');
    const unique = (property: string) =>
      `constraint ${link.constraint(property, 'unique')} unique (${link.column(property)})`;
    this.addSql(
      `create table ${link.name} (
        ${link.column('requestHash')} varchar(43) not null primary key,
        ${link.column('keyHash')} varchar(43) not null,
        ${link.column('codeHash')} varchar(43) not null,
        ${link.column('email')} varchar(254) not null,
        ${owner} ${link.columnType('user')} null,
        ${link.column('credentialEpoch')} int not null,
        ${link.column('attempts')} smallint not null default 0,
        ${link.column('expiresAt')} timestamptz(3) not null,
        ${unique('keyHash')},
        ${unique('email')},
        constraint ${link.constraint('user', 'foreign')} foreign key (${owner})
          references ${user.name} (${user.column('id')}) on delete cascade
      )`,
      `create index ${link.constraint('user', 'index')} on ${link.name} (${owner})`,
    );
  }

  down(): void {
    this.addSql(`drop table ${this.table(MAGIC_LINK_ENTITY).name}`);
  }
}
