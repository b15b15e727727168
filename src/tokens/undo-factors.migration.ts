import { AuthMigration } from '../database/auth-migration.js';
import { ONE_TIME_KEY_ENTITY } from './one-time-key.entity.js';

/** Adds to mailed keys whether their user had a second factor, for the undo of a changed address. */
export class AddUndoFactors extends AuthMigration {
  up(): void {
    const key = this.table(ONE_TIME_KEY_ENTITY);
    this.addSql(`alter table ${key.name} add column ${key.column('hadSecondFactor')} boolean not null default true`);
  }

  down(): void {
    const key = this.table(ONE_TIME_KEY_ENTITY);
    this.addSql(`alter table ${key.name} drop column ${key.column('hadSecondFactor')}`);
  }
}
