import type { EntityManager } from '@mikro-orm/postgresql';
import type { AuthKernel } from '../../kernel.js';
import type { PasswordOwner } from '../../users/user.service.js';

/**
 * The user with an address, active or not. A user whose invitation has expired does not count: a sign-in must not
 * revive the invitation, and the address is free.
 */
export async function findMailboxOwner(
  { users, accounts }: Pick<AuthKernel, 'users' | 'accounts'>,
  email: string,
  em: EntityManager,
): Promise<PasswordOwner | undefined> {
  const user = await users.findByEmail(email, em);
  return user && (await accounts.hasExpiredInvitation(user.id, em)) ? undefined : user;
}
