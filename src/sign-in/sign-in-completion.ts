import type { EntityManager } from '@mikro-orm/postgresql';
import type { UserId } from '../users/base-user.entity.js';

/** Work of a module for a sign-in: its name (`ModuleParts.completions`), and data that JSON can represent. */
export interface CompletionOrder {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/**
 * Does the work, such as storing the link to a provider's account. It runs in the transaction that admits the sign-in,
 * after the gates and the second factor, or in the transaction that creates the user of a confirmed sign-up. The
 * transaction holds a lock on the user's row. If the work throws, the sign-in or the confirmation is refused.
 */
export type SignInCompletion = (user: UserId, data: CompletionOrder['data'], em: EntityManager) => Promise<void>;
