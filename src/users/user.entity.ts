import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey } from '@mikro-orm/decorators/legacy';
import { BaseUser } from './base-user.entity.js';

/** A ready-to-use user entity with a random UUID as its key, for apps that need no properties of their own. */
@Entity({ tableName: 'auth_user' })
export class User extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();
}
