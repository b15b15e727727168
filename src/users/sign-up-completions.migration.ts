import { AuthMigration } from '../database/auth-migration.js';
import { PENDING_SIGN_UP_ENTITY } from './pending-sign-up.entity.js';

/** Adds the work that is done when a sign-up is confirmed, and allows unconfirmed sign-ups without a password. */
export class AddSignUpCompletions extends AuthMigration {
  up(): void {
    const signUp = this.table(PENDING_SIGN_UP_ENTITY);
    this.addSql(
      `alter table ${signUp.name} alter column ${signUp.column('passwordHash')} drop not null,
        add column ${signUp.column('completion')} jsonb null`,
    );
  }

  down(): void {
    const signUp = this.table(PENDING_SIGN_UP_ENTITY);
    const [passwordHash, completion] = ['passwordHash', 'completion'].map((name) => signUp.column(name));
    this.addSql(
      `delete from ${signUp.name} where ${passwordHash} is null`,
      `alter table ${signUp.name} alter column ${passwordHash} set not null, drop column ${completion}`,
    );
  }
}
