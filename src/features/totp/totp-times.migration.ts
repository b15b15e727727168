import { AuthMigration } from '../../database/auth-migration.js';
import { TOTP_ENTITY } from './totp.entity.js';

/** Adds the times of set-ups and of recovery codes. In older rows they are null: before any change of the address. */
export class AddTotpTimes extends AuthMigration {
  up(): void {
    const totp = this.table(TOTP_ENTITY);
    for (const property of ['confirmedAt', 'recoveryCodesAt'])
      this.addSql(`alter table ${totp.name} add column ${totp.column(property)} timestamptz(3) null`);
  }

  down(): void {
    const totp = this.table(TOTP_ENTITY);
    for (const property of ['confirmedAt', 'recoveryCodesAt'])
      this.addSql(`alter table ${totp.name} drop column ${totp.column(property)}`);
  }
}
