import { Migration } from '@mikro-orm/migrations';

/** The demo's own migration; those of the library run after it. */
export class CreateUsers extends Migration {
  override up(): void {
    this.addSql(`
      create table "demo_user" (
        "id" uuid not null primary key,
        "email" varchar(254) not null constraint "demo_user_email_unique" unique,
        "password_hash" text null,
        "first_name" varchar(150) not null default '',
        "last_name" varchar(150) not null default '',
        "role" int not null default 0,
        "is_active" boolean not null default true,
        "email_verified" boolean not null default false,
        "permissions" jsonb not null default '[]'
      )`);
  }

  override down(): void {
    this.addSql('drop table "demo_user"');
  }
}
