import { AuthMigration } from '../database/auth-migration.js';
import { SESSION_ENTITY } from './session.entity.js';

/** Adds the key to which a session is bound, and the proofs by that key. */
export class AddSessionKeys extends AuthMigration {
  up(): void {
    const session = this.table(SESSION_ENTITY);
    this.addSql(
      `alter table ${session.name}
        add column ${session.column('keyThumbprint')} varchar(43) null,
        add column ${session.column('proofs')} bigint[] null`,
    );
  }

  down(): void {
    const session = this.table(SESSION_ENTITY);
    const [key, proofs] = [session.column('keyThumbprint'), session.column('proofs')];
    this.addSql(`alter table ${session.name} drop column ${key}, drop column ${proofs}`);
  }
}
