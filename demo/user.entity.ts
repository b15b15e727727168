import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { BaseUser } from 'jwt-allauth';

/** The demo's user: what the library needs, and permissions of its own. */
@Entity({ tableName: 'demo_user' })
export class User extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'json', default: '[]' })
  permissions: string[] = [];
}
