import { Embeddable, Embedded, Entity, Enum, Formula, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { BaseUser, type ForUserOptions, RefreshToken } from '../../src/index.js';

@Embeddable()
export class Address {
  @Property({ type: 'string', nullable: true })
  street?: string;

  @Property({ type: 'integer', fieldName: 'zip', nullable: true })
  zipCode?: number;
}

export enum Plan {
  Free = 'free',
  Paid = 'paid',
}

/** A user with every kind of column that an app may have, in its own schema, with its own names. */
@Entity({ tableName: 'Account', schema: 'people' })
export class RichUser extends BaseUser {
  @PrimaryKey({ type: 'bigint', fieldName: 'account no' })
  override id!: bigint;

  @Property({ type: 'string', fieldName: 'order', default: 'standard' })
  shipping: string = 'standard';

  @Embedded({ entity: () => Address })
  address: Address = new Address();

  @Embedded({ entity: () => Address, object: true, nullable: true })
  billing?: Address;

  @Enum({ items: () => Plan, default: Plan.Free })
  plan: Plan = Plan.Free;

  @Enum({ items: () => Plan, array: true, default: [] })
  plans: Plan[] = [];

  @Property({ type: 'json', nullable: true })
  preferences?: object;

  @Property({ type: 'string[]', nullable: true })
  tags?: string[];

  @Property({ type: 'decimal', precision: 12, scale: 4, nullable: true })
  balance?: string;

  @Property({ type: 'bigint', nullable: true })
  points?: bigint;

  @Property({ type: 'double', nullable: true })
  score?: number;

  @Property({ type: 'date', nullable: true })
  birthday?: string;

  @Property({ type: 'datetime', nullable: true })
  lastSeen?: Date;

  @Property({ type: 'blob', nullable: true })
  picture?: Buffer;

  @Property({ version: true, type: 'integer' })
  version!: number;

  @Property({ type: 'text', lazy: true, nullable: true })
  biography?: string;

  @Property({ type: 'text', hidden: true, nullable: true })
  note?: string;

  @Formula((columns) => `upper(${columns['email']})`, { type: 'string' })
  loudEmail?: string;
}

/** The users that `forUser` received, at each sign-in and each rotation. */
export const given: object[] = [];

export class RichRefreshToken extends RefreshToken {
  static override async forUser(user: RichUser, options?: ForUserOptions) {
    given.push(plain(user));
    const token = await super.forUser(user, options);
    token.payload.plan = user.plan;
    token.payload.zip = user.address.zipCode;
    return token;
  }
}

/** The loaded values of a user's properties. */
export function plain(user: RichUser): object {
  const isMine = (name: string) => !name.startsWith('__') && name !== 'loudEmail';
  const { billing, address } = user;
  const own = Object.fromEntries(Object.entries({ ...user }).filter(([name]) => isMine(name)));
  return { ...own, billing: { ...billing }, address: { ...address }, kind: user.constructor.name };
}
