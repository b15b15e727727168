import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Clock, toSeconds } from '../clock.js';
import type { Database } from '../database/database.js';
import { incorrectCredentials, tokenNotValid } from '../error.js';
import type { TokenFactory } from '../tokens/token-factory.js';
import type { Tokens } from '../tokens/tokens.js';
import type { UserId } from '../users/base-user.entity.js';
import type { PasswordOwner, UserService } from '../users/user.service.js';
import type { SessionStore } from './session-store.js';

/** A session as a signed token names it. */
export interface SessionReference {
  /** Id of the session. */
  readonly session: string;
  /** Key of its user, as a string. */
  readonly sub: string;
}

/** Opens and ends the sessions of users. Rotation is in `rotation.service.ts`. */
export class SessionService {
  constructor(
    private readonly database: Database,
    private readonly store: SessionStore,
    private readonly users: UserService,
    private readonly tokens: TokenFactory,
    private readonly clock: Clock,
  ) {}

  /**
   * Opens a session for a user who has just proved who they are: by a password, then with the hash that was checked, or in
   * another way, then with the hash undefined, as MikroORM leaves it where it was not asked for. This is the only way into
   * the whitelist. One statement checks and inserts; a session for which no tokens can be made is taken back.
   *
   * @param em the transaction to open it in; default: none, the statement commits by itself
   * @throws incorrect_credentials when the user was deactivated or got another password meanwhile
   */
  async open(user: Pick<PasswordOwner, 'id' | 'passwordHash'>, em?: EntityManager): Promise<Tokens> {
    const now = this.clock.now();
    const issuedAt = toSeconds(now);
    const expiresAt = this.tokens.refreshExpiry(issuedAt, issuedAt);
    const session = { id: randomUUID(), jti: randomUUID() };
    const dates = { openedAt: new Date(now), expiresAt: new Date(expiresAt * 1000) };
    const owning = em ?? this.database.fork();
    const current = await this.store.insert({ ...session, ...dates }, user, owning);
    if (!current) throw incorrectCredentials();
    try {
      return await this.tokens.issue(current, { ...session, openedAt: issuedAt, issuedAt, expiresAt }, owning);
    } catch (error) {
      // Nobody has its tokens: if it cannot be taken back it does no harm, and why there are none is what counts.
      if (!em) await this.store.remove(session.id, user.id).catch(() => {});
      throw error;
    }
  }

  /** Ends one session. False: it had ended before, or there is none. @throws token_not_valid when `sub` names nobody */
  async revoke({ session, sub }: SessionReference, em?: EntityManager): Promise<boolean> {
    return this.store.revoke(session, this.users.keyOf(sub), em);
  }

  /** Ends every session of a user, those that are being opened or rotated at this moment included. */
  async revokeAll(user: UserId, em?: EntityManager): Promise<void> {
    await (em ? this.store.revokeAll(user, em) : this.database.transaction((own) => this.store.revokeAll(user, own)));
  }

  /**
   * Makes sure that a session is live, and keeps it so until the transaction of `em`, if one is given, is over.
   *
   * @throws token_not_valid when it has ended
   */
  async assertLive({ session, sub }: SessionReference, em?: EntityManager): Promise<void> {
    const isLive = await this.store.isLive(session, this.users.keyOf(sub), new Date(this.clock.now()), em);
    if (!isLive) throw tokenNotValid();
  }
}
