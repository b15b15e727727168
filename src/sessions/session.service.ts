import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Clock, toSeconds } from '../clock.js';
import type { Database } from '../database/database.js';
import type { Proof } from '../dpop/proof.js';
import { proofRefused } from '../dpop/proof-verifier.js';
import type { UsedProofs } from '../dpop/used-proofs.js';
import { authError, tokenNotValid } from '../error-table.js';
import type { RevocationReason } from '../observability/auth-events.js';
import type { Journal } from '../observability/journal.js';
import type { Settings } from '../settings/settings.js';
import { normalizeBoundClaims } from '../tokens/bound-claims.js';
import type { CustomClaims } from '../tokens/claims.js';
import type { SessionContext } from '../tokens/session-context.js';
import type { TokenFactory, TokenSession } from '../tokens/token-factory.js';
import type { Tokens } from '../tokens/tokens.js';
import type { UserId } from '../users/base-user.entity.js';
import type { PasswordOwner, UserService } from '../users/user.service.js';
import { deviceOf, type SessionClient } from './client-device.js';
import { clientAddress } from './client-network.js';
import type { KnownNetworks } from './known-networks.js';
import type { EndedSession, SessionEndings } from './session-endings.js';
import { type SessionInfo, toSessionInfo } from './session-info.js';
import type { SessionOwner, SessionStore } from './session-store.js';

/** A session and its user, as in the claims of a token. */
export interface SessionReference {
  /** Id of the session. */
  readonly session: string;
  /** Key of the user, as a string. */
  readonly sub: string;
}

/** A user who has just authenticated, with the credentials as they were read for the check. */
export type SignedInUser = Pick<PasswordOwner, 'id' | 'passwordHash' | 'credentialEpoch'>;

/** Options of `SessionService.open`. */
export interface OpenOptions {
  /**
   * The transaction in which the session is opened. Default: a new one with MAX_SESSIONS_PER_USER or AUDIT_LOG, else
   * none. The library neither flushes nor refreshes the entities of this EntityManager: flush changes that must be in
   * the tokens before you call it.
   */
  readonly em?: EntityManager;
  /** The client that signs in. */
  readonly client?: SessionClient;
  /** The authentication methods (RFC 8176), for the `amr` claim of every token. Default: none. */
  readonly amr?: readonly string[];
  /** When the user authenticated, in seconds since the epoch. Default: now. */
  readonly authTime?: number;
  /** Claims that are in every token of the session until it ends. They override those that `forUser` adds. */
  readonly claims?: CustomClaims;
  /** The result of `ownerOf`, if the caller has it already. */
  readonly owner?: SessionOwner;
}

/** Options for ending sessions. */
export interface RevokeOptions {
  /** The transaction in which the sessions are ended. It must be READ COMMITTED. Default: a new one. */
  readonly em?: EntityManager;
  /** Default: `app`. */
  readonly reason?: RevocationReason;
}

/** Opens, lists and ends the sessions of users. `RotationService` refreshes them. */
export class SessionService {
  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly sessionStore: SessionStore;
      readonly sessionEndings: SessionEndings;
      readonly users: UserService;
      readonly tokens: TokenFactory;
      readonly journal: Journal;
      readonly settings: Settings;
      readonly clock: Clock;
      readonly knownNetworks: KnownNetworks;
      readonly usedProofs: UsedProofs;
    },
  ) {}

  /**
   * Opens a session for a user who has just authenticated. It runs no gates and no hooks; use `auth.signIn` for that.
   *
   * After a password check, pass the hash that was checked. After any other method, leave the hash undefined, as
   * MikroORM does unless you ask for it. The tokens are made first, so that an error there leaves no session. Then one
   * statement compares password hash, credential epoch and activity, and inserts the session. If you pass no epoch, the
   * one at the start of this call is compared.
   *
   * If the client has a proof, the session is bound to its key.
   *
   * @throws incorrect_credentials if the user was deactivated or the credentials have changed meanwhile
   * @throws dpop_proof_missing if DPOP is `required` and the client has no proof, unless it opens a page;
   * dpop_proof_invalid if the proof was used before
   * @throws reserved_claim, claim_not_serializable for claims that cannot be bound to a session; token_too_large, and
   * what `forUser` throws
   */
  async open(user: SignedInUser, options: OpenOptions = {}): Promise<Tokens> {
    const { em, client } = options;
    if (this.kernel.settings.dpop === 'required' && !client?.proof && !client?.isPage)
      throw authError('dpop_proof_missing');
    const context = this.#newContext(options);
    const { user: owner, credentialEpoch } = options.owner ?? (await this.ownerOf(user.id, em));
    const proof = { id: user.id, passwordHash: user.passwordHash };
    const checked = { ...proof, credentialEpoch: user.credentialEpoch ?? credentialEpoch };
    const prepared = await this.kernel.tokens.prepare(owner, { session: context, client });
    const session = this.#newSession(context, client);
    const tokens = this.kernel.tokens.sign(prepared, session);
    const openIn = async (transactionEm: EntityManager) => {
      await this.#useUp(client?.proof, transactionEm);
      const { passwordHash } = await this.#insert(session, checked, client, transactionEm);
      await this.kernel.knownNetworks.remember({ id: owner.id, passwordHash }, client?.ip, transactionEm);
      const opened = { session: session.id, user: String(owner.id), ip: clientAddress(client?.ip) };
      await this.kernel.journal.record([['session.opened', opened]], transactionEm);
    };
    if (em) await openIn(em);
    else if (this.kernel.settings.maxSessionsPerUser !== undefined) await this.kernel.database.transaction(openIn);
    else await this.kernel.journal.runAudited(openIn);
    return tokens;
  }

  /** Reads the user for whom a session is to be opened. @throws incorrect_credentials if the user is not active */
  async ownerOf(user: UserId, em = this.kernel.database.fork()): Promise<SessionOwner> {
    const owner = await this.kernel.sessionStore.findOwner(user, em);
    if (!owner) throw authError('incorrect_credentials');
    return owner;
  }

  /** The live sessions of a user, most recently used first, at most 200. */
  async list(user: UserId): Promise<SessionInfo[]> {
    const now = this.kernel.clock.now();
    const hiddenSince = new Date(now - this.kernel.settings.refreshReuseGrace * 1000);
    const sessions = await this.kernel.sessionStore.list(user, new Date(now), hiddenSince);
    return sessions.map((session) => toSessionInfo(session, this.kernel.settings));
  }

  /** Like `list`, for the caller's user. @throws token_not_valid if the caller's session has ended */
  async listFor({ session, sub }: SessionReference): Promise<SessionInfo[]> {
    const sessions = await this.list(this.kernel.users.keyOf(sub));
    if (!sessions.some(({ id }) => id === session)) await this.assertLive({ session, sub });
    return sessions;
  }

  /**
   * Ends one session.
   *
   * @returns false if it had ended before or does not exist
   * @throws token_not_valid if `sub` cannot be the key of a user
   */
  async revoke({ session, sub }: SessionReference, options: RevokeOptions = {}): Promise<boolean> {
    const user = this.kernel.users.keyOf(sub);
    const end = async (em: EntityManager) =>
      this.#record(await this.kernel.sessionEndings.endOne(session, user, em), options, em);
    return (options.em ? await end(options.em) : await this.kernel.journal.runAudited(end)) > 0;
  }

  /** Ends all sessions of a user, including those that are being opened or rotated now. @returns how many */
  async revokeAll(user: UserId, options: RevokeOptions = {}): Promise<number> {
    const end = async (em: EntityManager) => {
      await this.kernel.sessionEndings.lockUser(user, em);
      return this.#record(await this.kernel.sessionEndings.endAll(user, em), options, em);
    };
    return options.em ? end(options.em) : this.kernel.database.transaction(end);
  }

  /**
   * Ends all sessions of the caller's user except the caller's, in the transaction of `em`, which must hold a lock on
   * the user's row (`SessionEndings.lockUser`).
   *
   * @returns how many
   */
  async revokeOthers(
    { session, sub }: SessionReference,
    { em, ...options }: RevokeOptions & { readonly em: EntityManager },
  ): Promise<number> {
    const user = this.kernel.users.keyOf(sub);
    return this.#record(await this.kernel.sessionEndings.endOthers(session, user, em), options, em);
  }

  /**
   * Ends sessions of the caller's user: one, all `others`, or `all`.
   *
   * @returns how many
   * @throws token_not_valid if the caller's session has ended: its access token must not end other sessions
   */
  async revokeFor(caller: SessionReference, which: { session: string } | 'others' | 'all'): Promise<number> {
    const user = this.kernel.users.keyOf(caller.sub);
    return this.kernel.database.transaction(async (em) => {
      await this.kernel.sessionEndings.lockUser(user, em);
      await this.assertLive(caller, em);
      if (which === 'all')
        return this.#record(await this.kernel.sessionEndings.endAll(user, em), { reason: 'logout-all' }, em);
      if (which === 'others') {
        return this.#record(
          await this.kernel.sessionEndings.endOthers(caller.session, user, em),
          { reason: 'revoke-others' },
          em,
        );
      }
      return this.#record(await this.kernel.sessionEndings.endOne(which.session, user, em), { reason: 'revoked' }, em);
    });
  }

  /**
   * Checks that a session is live. With `em`, the session cannot be ended until the end of the transaction.
   *
   * @throws token_not_valid if it has ended
   */
  async assertLive(caller: SessionReference, em?: EntityManager): Promise<void> {
    await this.contextOf(caller, em);
  }

  /**
   * The context of a live session. With `em`, the session cannot be ended until the end of the transaction.
   *
   * @throws token_not_valid if it has ended
   */
  async contextOf({ session, sub }: SessionReference, em?: EntityManager): Promise<SessionContext> {
    const now = new Date(this.kernel.clock.now());
    const context = await this.kernel.sessionStore.findLive(session, this.kernel.users.keyOf(sub), now, em);
    if (!context) throw tokenNotValid('session-ended');
    return context;
  }

  async #useUp(proof: Proof | undefined, em: EntityManager): Promise<void> {
    if (proof && !(await this.kernel.usedProofs.use(proof, em))) throw proofRefused('proof-replayed');
  }

  #newContext({ amr = [], authTime = toSeconds(this.kernel.clock.now()), claims }: OpenOptions): SessionContext {
    return { amr: amr.map(String), authTime: Math.floor(authTime), claims: normalizeBoundClaims(claims) };
  }

  #newSession(context: SessionContext, client: SessionClient | undefined): TokenSession {
    const openedAt = toSeconds(this.kernel.clock.now());
    const expiresAt = this.kernel.tokens.refreshExpiry(openedAt, openedAt);
    const keyThumbprint = client?.proof?.thumbprint;
    return { id: randomUUID(), jti: randomUUID(), openedAt, issuedAt: openedAt, expiresAt, keyThumbprint, ...context };
  }

  /** Inserts a session, and ends those that exceed MAX_SESSIONS_PER_USER. */
  async #insert(
    { id, jti, expiresAt, amr, authTime, claims, keyThumbprint }: TokenSession,
    user: Pick<PasswordOwner, 'id' | 'passwordHash'> & { readonly credentialEpoch: number },
    client: SessionClient | undefined,
    em: EntityManager,
  ): Promise<{ readonly passwordHash: string | null }> {
    const cap = this.kernel.settings.maxSessionsPerUser;
    if (cap !== undefined) await this.kernel.sessionEndings.lockUser(user.id, em);
    const dates = { openedAt: new Date(this.kernel.clock.now()), expiresAt: new Date(expiresAt * 1000) };
    const session = {
      id,
      jti,
      ...dates,
      ...deviceOf(client, this.kernel.settings),
      amr,
      authTime,
      claims,
      keyThumbprint,
    };
    const opened = await this.kernel.sessionStore.insert(session, user, em);
    if (!opened) throw authError('incorrect_credentials');
    if (cap !== undefined) {
      await this.#endReplaced(user.id, client, em);
      await this.#record(
        await this.kernel.sessionEndings.endExcess(id, user.id, cap - 1, em),
        { reason: 'session-cap' },
        em,
      );
    }
    return opened;
  }

  /** Ends the sessions of a user that the new one of this client replaces, before the others are counted. */
  async #endReplaced(user: UserId, client: SessionClient | undefined, em: EntityManager): Promise<void> {
    for (const { session } of client?.replaces?.filter(({ sub }) => sub === String(user)) ?? []) {
      await this.#record(await this.kernel.sessionEndings.endOne(session, user, em), { reason: 'superseded' }, em);
    }
  }

  /** Records the events of ended sessions. @returns how many sessions have ended */
  async #record(ended: readonly EndedSession[], { reason = 'app' }: RevokeOptions, em: EntityManager): Promise<number> {
    const events = ended.map(({ session, user }) => ['session.revoked', { session, user, reason }] as const);
    await this.kernel.journal.record(events, em);
    return ended.length;
  }
}
