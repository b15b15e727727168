import type { AuthKernel } from '../../kernel.js';
import type { BaseUser } from '../../users/base-user.entity.js';

/** The properties that users may change themselves. */
export interface ProfileChanges {
  readonly firstName?: string;
  readonly lastName?: string;
  /** Values of the fields that the app adds (`inputs.profile`), by property name. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Reads and changes user profiles. */
export class ProfileService {
  constructor(protected readonly kernel: Pick<AuthKernel, 'database' | 'users'>) {}

  /** @throws token_not_valid if `sub` is not the id of an active user */
  async get(sub: string): Promise<BaseUser> {
    return this.kernel.database.read((em) => this.kernel.users.getActive(em, sub));
  }

  /**
   * Changes the given properties and keeps the others.
   *
   * @throws token_not_valid if `sub` is not the id of an active user
   * @throws field_already_taken if another user has a value that must be unique
   */
  async update(sub: string, { firstName, lastName, fields }: ProfileChanges): Promise<BaseUser> {
    const change = this.kernel.database.transaction(async (em) => {
      const user = await this.kernel.users.getActive(em, sub);
      user.firstName = firstName ?? user.firstName;
      user.lastName = lastName ?? user.lastName;
      return Object.assign(user, fields);
    });
    return change.catch((error) => {
      throw this.kernel.users.refusalOf(error, { firstName, lastName, ...fields });
    });
  }
}
