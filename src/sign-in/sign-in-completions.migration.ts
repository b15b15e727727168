import { AuthMigration } from '../database/auth-migration.js';
import { CHALLENGE_ENTITY } from './challenge.entity.js';

/** Adds the work that is done when a challenge is answered. */
export class AddSignInCompletions extends AuthMigration {
  up(): void {
    const challenge = this.table(CHALLENGE_ENTITY);
    this.addSql(`alter table ${challenge.name} add column ${challenge.column('completion')} jsonb null`);
  }

  down(): void {
    const challenge = this.table(CHALLENGE_ENTITY);
    this.addSql(`alter table ${challenge.name} drop column ${challenge.column('completion')}`);
  }
}
