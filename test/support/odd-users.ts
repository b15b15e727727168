import { randomUUID } from 'node:crypto';
import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { BaseUser } from '../../src/index.js';

/** A user whose key has another name than `id`. */
@Entity({ tableName: 'numbered' })
export class Numbered extends BaseUser {
  declare id: number;

  @PrimaryKey({ type: 'integer' })
  number!: number;
}

/** A user with a key of two columns. */
@Entity({ tableName: 'member' })
export class TenantMember extends BaseUser {
  @PrimaryKey({ type: 'integer' })
  override id!: number;

  @PrimaryKey({ type: 'integer' })
  tenant!: number;
}

/** A user whose schema is that of the EntityManager. */
@Entity({ tableName: 'anywhere', schema: '*' })
export class Anywhere extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();
}

/** The base class of users in two tables. */
@Entity({ tableName: 'person', inheritance: 'tpt' })
export class Person extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();
}

/** A user in two tables. */
@Entity({ tableName: 'staff' })
export class Staff extends Person {
  @Property({ type: 'string', default: '' })
  badge: string = '';
}

/** A user whose column truncates the password hash. */
@Entity({ tableName: 'narrow' })
export class Narrow extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'string', length: 60, nullable: true, lazy: true, hidden: true })
  override passwordHash?: string | null;
}

/** The same, where the entity names the column's type. */
@Entity({ tableName: 'legacy' })
export class Legacy extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ columnType: 'varchar(96)', type: 'string', nullable: true, lazy: true, hidden: true })
  override passwordHash?: string | null;
}

/** A user without columns for the role and the last name. */
@Entity({ tableName: 'roleless' })
export class Roleless extends BaseUser {
  @PrimaryKey({ type: 'uuid' })
  override id: string = randomUUID();

  @Property({ type: 'integer', persist: false })
  override role: number = 0;

  @Property({ type: 'string', persist: false })
  override lastName = '';
}
