import { randomUUID } from 'node:crypto';
import { Entity, ManyToOne, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { BaseUser, type ForUserOptions, RefreshToken } from '../../src/index.js';

/** An organisation that users can belong to. */
@Entity({ tableName: 'organization' })
export class Organization {
  @PrimaryKey({ type: 'integer' })
  id!: number;

  @Property({ type: 'string' })
  name!: string;
}

/** A user as an app would define it. */
@Entity({ tableName: 'app_user' })
export class AppUser extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'json', default: '[]' })
  permissions: string[] = [];

  @ManyToOne({ entity: () => Organization, nullable: true })
  organization?: Organization;
}

/** A user with an integer key. */
@Entity({ tableName: 'integer_user' })
export class IntegerUser extends BaseUser {
  @PrimaryKey({ type: 'integer' })
  override id!: number;
}

/** A user with a bigint key. */
@Entity({ tableName: 'bigint_user' })
export class BigintUser extends BaseUser {
  @PrimaryKey({ type: 'bigint' })
  override id!: bigint;
}

/** The app's token class: the first snippet of the README. */
export class AppRefreshToken extends RefreshToken {
  setUserPermissions(user: AppUser) {
    this.payload.permissions = user.permissions;
  }

  static override async forUser(user: AppUser, options?: ForUserOptions) {
    const token = await super.forUser(user, options);
    token.setUserPermissions(user);
    return token;
  }
}
