import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { BaseUser } from 'jwt-allauth';

/** The demo's user: the properties that the library needs, and permissions. */
@Entity({ tableName: 'demo_user' })
export class User extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'json', default: '[]' })
  permissions: string[] = [];
}
