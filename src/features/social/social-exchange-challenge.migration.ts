import { AuthMigration } from '../../database/auth-migration.js';
import { SOCIAL_EXCHANGE_ENTITY } from './social.entity.js';

/** Adds the challenge that binds an exchange code to its client. */
export class AddExchangeChallenge extends AuthMigration {
  up(): void {
    const exchange = this.table(SOCIAL_EXCHANGE_ENTITY);
    this.addSql(`alter table ${exchange.name} add column ${exchange.column('challenge')} varchar(43) null`);
  }

  down(): void {
    const exchange = this.table(SOCIAL_EXCHANGE_ENTITY);
    this.addSql(`alter table ${exchange.name} drop column ${exchange.column('challenge')}`);
  }
}
