import type { AuthKernel } from '../../kernel.js';
import type { BaseUser } from '../../users/base-user.entity.js';

/** What a user may change about themselves. */
export interface ProfileChanges {
  readonly firstName?: string;
  readonly lastName?: string;
  /** Values of the fields that the app adds (`inputs.profile`), by property of the user. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Reads and changes what a user says about themselves. */
export class ProfileService {
  constructor(protected readonly kernel: Pick<AuthKernel, 'database' | 'users'>) {}

  /** @throws token_not_valid when the `sub` claim names no active user */
  async get(sub: string): Promise<BaseUser> {
    return this.kernel.database.read((em) => this.kernel.users.getActive(em, sub));
  }

  /** Changes what is given and leaves the rest. @throws token_not_valid when the `sub` claim names no active user */
  async update(sub: string, { firstName, lastName, fields }: ProfileChanges): Promise<BaseUser> {
    return this.kernel.database.transaction(async (em) => {
      const user = await this.kernel.users.getActive(em, sub);
      user.firstName = firstName ?? user.firstName;
      user.lastName = lastName ?? user.lastName;
      return Object.assign(user, fields);
    });
  }
}
