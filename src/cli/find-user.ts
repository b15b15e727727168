import type { UserId } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import { CommandError } from './command-error.js';

/** Finds the key of a user by id or e-mail address. @throws CommandError if there is no such user */
export async function findUser(users: UserService, given: string): Promise<UserId> {
  if (given.includes('@')) {
    const owner = await users.findByEmail(given);
    if (!owner) throw new CommandError('there is no user with this e-mail address');
    return owner.id;
  }
  const key = await users.findKey(given);
  if (key === undefined) throw new CommandError('there is no user with this id');
  return key;
}
