import type { EntityManager } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { authError, tokenNotValid } from '../error-table.js';
import type { Journal } from '../observability/journal.js';
import type { SessionContext } from '../tokens/session-context.js';
import type { UserService } from '../users/user.service.js';
import type { SessionReference } from './session.service.js';
import type { SessionEndings } from './session-endings.js';
import type { AccountOfSession, SessionStore } from './session-store.js';

/** A new proof of the user of a session. */
export interface SessionProof {
  /** The methods of the proof (RFC 8176). */
  readonly amr: readonly string[];
  /** When the user proved it, in seconds since the epoch. */
  readonly authTime: number;
  /** The credential epoch that was read before the proof was checked. */
  readonly credentialEpoch: number;
}

/** What the users of sessions have proved: reads it together with the state of their account, and adds new proofs. */
export class SessionProofs {
  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly sessionStore: SessionStore;
      readonly sessionEndings: SessionEndings;
      readonly users: UserService;
      readonly journal: Journal;
      readonly clock: Clock;
    },
  ) {}

  /**
   * The context of a live session and the state of its user's account. With `em`, the session cannot be ended until the
   * end of the transaction.
   *
   * @throws token_not_valid if the session has ended or its user is not active
   */
  async accountOf({ session, sub }: SessionReference, em?: EntityManager): Promise<AccountOfSession> {
    const user = this.kernel.users.keyOf(sub);
    const account = await this.kernel.sessionStore.findAccount(session, user, this.#now, em);
    if (!account) throw tokenNotValid('session-ended');
    return account;
  }

  /**
   * Adds a new proof to a session: adds its methods to `amr`, and sets `authTime` to its time if that is later. The
   * refresh token stays valid, and the tokens of the next rotation have the new values.
   *
   * @param em the transaction. Default: a new one
   * @returns the new context of the session
   * @throws token_not_valid if the session has ended or its user is not active; incorrect_credentials if the user's
   * credentials have changed since the epoch was read
   */
  async add(caller: SessionReference, proof: SessionProof, em?: EntityManager): Promise<SessionContext> {
    const add = (transactionEm: EntityManager) => this.#add(caller, proof, transactionEm);
    const proved = await (em ? add(em) : this.kernel.database.transaction(add));
    if (proved) return proved;
    await this.accountOf(caller, em);
    throw authError('incorrect_credentials');
  }

  async #add(caller: SessionReference, proof: SessionProof, em: EntityManager): Promise<SessionContext | undefined> {
    const { sessionEndings, sessionStore, users, journal } = this.kernel;
    const user = users.keyOf(caller.sub);
    await sessionEndings.lockUser(user, em); // a parallel change of credentials has committed, or waits
    const context = await sessionStore.prove({ id: caller.session, user, at: this.#now, ...proof }, em);
    if (!context) return undefined;
    const event = { session: caller.session, user: caller.sub, amr: context.amr };
    await journal.record([['session.reauthenticated', event]], em);
    return context;
  }

  get #now(): Date {
    return new Date(this.kernel.clock.now());
  }
}
