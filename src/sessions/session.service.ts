import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Clock, toSeconds } from '../clock.js';
import type { Database } from '../database/database.js';
import { authError, tokenNotValid } from '../error-table.js';
import type { RevocationReason } from '../observability/auth-events.js';
import type { Journal } from '../observability/journal.js';
import type { Settings } from '../settings/settings.js';
import { normalizeBoundClaims } from '../tokens/bound-claims.js';
import type { CustomClaims, TokenClaims } from '../tokens/claims.js';
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
import type { SessionStore } from './session-store.js';

const DAY_SECONDS = 86_400;

/** A session as a signed token names it. */
export interface SessionReference {
  /** Id of the session. */
  readonly session: string;
  /** Key of its user, as a string. */
  readonly sub: string;
}

/** A user who has just proved who they are, as it was when that was checked. */
export type SignedInUser = Pick<PasswordOwner, 'id' | 'passwordHash' | 'credentialEpoch'>;

/** How a session is opened. */
export interface OpenOptions {
  /**
   * The transaction to open it in. Default: none, or where more than one statement is needed, one of its own. What this
   * EntityManager manages is neither refreshed nor flushed: flush first what the tokens must say.
   */
  readonly em?: EntityManager;
  /** Who signs in, for COLLECT_USER_AGENT and `forUser`. */
  readonly client?: SessionClient;
  /** How the user has proved who they are (RFC 8176); it is in the `amr` claim of every token. Default: none. */
  readonly amr?: readonly string[];
  /** When the user did, in seconds since the epoch. Default: now. */
  readonly authTime?: number;
  /** Claims that stand in every token of the session until it ends. They win over those that `forUser` adds. */
  readonly claims?: CustomClaims;
}

/** How sessions are ended. */
export interface RevokeOptions {
  /** The transaction to end them in; it must be READ COMMITTED. Default: one of its own. */
  readonly em?: EntityManager;
  /** Default: `app`. */
  readonly reason?: RevocationReason;
}

/** Opens, lists and ends the sessions of users. Rotation is in `rotation.service.ts`. */
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
    },
  ) {}

  /**
   * Opens a session for a user who has just proved who they are. It asks no gate and no hook: `SignInService` does.
   *
   * After a password give the hash that was checked. After any other proof leave the hash undefined, as MikroORM leaves
   * it where it was not asked for. The tokens are made first: where none can be made, there is no session. Then one
   * statement compares password hash, credential epoch and activity, and inserts the session. Where no epoch is given,
   * that of the start of this call is compared. This is the only way into the whitelist.
   *
   * @throws incorrect_credentials when the user was deactivated or the credentials have changed meanwhile
   * @throws reserved_claim, claim_not_serializable for claims that cannot be bound to a session
   */
  async open(user: SignedInUser, options: OpenOptions = {}): Promise<Tokens> {
    const { em, client } = options;
    const worth = this.#newContext(options);
    const reader = em ?? this.kernel.database.fork();
    const found = await this.kernel.sessionStore.findOwner(user.id, reader);
    if (!found) throw authError('incorrect_credentials');
    const owner = found.user;
    const proof = { id: user.id, passwordHash: user.passwordHash };
    const checked = { ...proof, credentialEpoch: user.credentialEpoch ?? found.credentialEpoch };
    const prepared = await this.kernel.tokens.prepare(owner, { session: worth, client });
    const session = this.#newSession(worth);
    const tokens = this.kernel.tokens.sign(prepared, session);
    const openIn = async (own: EntityManager) => {
      const { passwordHash } = await this.#insert(session, checked, client, own);
      await this.kernel.knownNetworks.remember({ id: owner.id, passwordHash }, client?.ip, own);
      const opened = { session: session.id, user: String(owner.id), ip: clientAddress(client?.ip) };
      await this.kernel.journal.record([['session.opened', opened]], own);
    };
    if (em) await openIn(em);
    else if (this.kernel.settings.maxSessionsPerUser !== undefined) await this.kernel.database.transaction(openIn);
    else await this.kernel.journal.runAudited(openIn);
    return tokens;
  }

  /** The live sessions of a user, the one used last first, at most 200. */
  async list(user: UserId): Promise<SessionInfo[]> {
    const now = this.kernel.clock.now();
    const hiddenSince = new Date(now - this.kernel.settings.refreshReuseGrace * 1000);
    const sessions = await this.kernel.sessionStore.list(user, new Date(now), hiddenSince);
    return sessions.map((session) => toSessionInfo(session, this.kernel.settings));
  }

  /**
   * The live sessions of the caller's user, as `list` has them.
   * @throws token_not_valid when the caller's own has ended
   */
  async listFor({ session, sub }: SessionReference): Promise<SessionInfo[]> {
    const sessions = await this.list(this.kernel.users.keyOf(sub));
    if (!sessions.some(({ id }) => id === session)) await this.assertLive({ session, sub });
    return sessions;
  }

  /** Ends one session. False: it had ended before, or there is none. @throws token_not_valid when `sub` names nobody */
  async revoke({ session, sub }: SessionReference, options: RevokeOptions = {}): Promise<boolean> {
    const user = this.kernel.users.keyOf(sub);
    const end = async (em: EntityManager) =>
      this.#record(await this.kernel.sessionEndings.endOne(session, user, em), options, em);
    return (options.em ? await end(options.em) : await this.kernel.journal.runAudited(end)) > 0;
  }

  /** Ends every session of a user, those that are being opened or rotated at this moment included; tells how many. */
  async revokeAll(user: UserId, options: RevokeOptions = {}): Promise<number> {
    const end = async (em: EntityManager) => {
      await this.kernel.sessionEndings.lockUser(user, em);
      return this.#record(await this.kernel.sessionEndings.endAll(user, em), options, em);
    };
    return options.em ? end(options.em) : this.kernel.database.transaction(end);
  }

  /**
   * Ends, for the user of a live session, one of their sessions, all `others`, or `all`; tells how many.
   *
   * @throws token_not_valid when the caller's session has ended: its access token is nobody's who may end others
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
   * Makes sure that a session is live, and keeps it so until the transaction of `em`, if one is given, is over.
   *
   * @throws token_not_valid when it has ended
   */
  async assertLive(caller: SessionReference, em?: EntityManager): Promise<void> {
    await this.contextOf(caller, em);
  }

  /**
   * What a live session is worth; it stays live until the transaction of `em`, if one is given, is over.
   *
   * @throws token_not_valid when it has ended
   */
  async contextOf({ session, sub }: SessionReference, em?: EntityManager): Promise<SessionContext> {
    const now = new Date(this.kernel.clock.now());
    const worth = await this.kernel.sessionStore.findLive(session, this.kernel.users.keyOf(sub), now, em);
    if (!worth) throw tokenNotValid('session-ended');
    return worth;
  }

  /**
   * Keeps a network known from which a session is refreshed. It looks once in a day of the session's, so that all other
   * refreshes cost nothing more, and never fails: the refresh is done.
   */
  async keepNetworkKnown({ sub, iat, session_iat: openedAt }: TokenClaims, client?: SessionClient): Promise<void> {
    const dayOf = (seconds: number) => Math.floor((seconds - openedAt) / DAY_SECONDS);
    if (!client?.ip || dayOf(iat) === dayOf(toSeconds(this.kernel.clock.now()))) return;
    const id = this.kernel.users.keyOf(sub);
    const renew = async () =>
      this.kernel.knownNetworks.renew(
        { id, passwordHash: await this.kernel.sessionStore.passwordHashOf(id) },
        client.ip,
      );
    await renew().catch(() => {});
  }

  #newContext({ amr = [], authTime = toSeconds(this.kernel.clock.now()), claims }: OpenOptions): SessionContext {
    return { amr: amr.map(String), authTime: Math.floor(authTime), claims: normalizeBoundClaims(claims) };
  }

  #newSession(worth: SessionContext): TokenSession {
    const openedAt = toSeconds(this.kernel.clock.now());
    const expiresAt = this.kernel.tokens.refreshExpiry(openedAt, openedAt);
    return { id: randomUUID(), jti: randomUUID(), openedAt, issuedAt: openedAt, expiresAt, ...worth };
  }

  /** Puts a session on the whitelist, and takes off it what is more than the user may have. */
  async #insert(
    { id, jti, expiresAt, amr, authTime, claims }: TokenSession,
    user: Pick<PasswordOwner, 'id' | 'passwordHash'> & { readonly credentialEpoch: number },
    client: SessionClient | undefined,
    em: EntityManager,
  ): Promise<{ readonly passwordHash: string | null }> {
    const cap = this.kernel.settings.maxSessionsPerUser;
    if (cap !== undefined) await this.kernel.sessionEndings.lockUser(user.id, em);
    const dates = { openedAt: new Date(this.kernel.clock.now()), expiresAt: new Date(expiresAt * 1000) };
    const session = { id, jti, ...dates, ...deviceOf(client, this.kernel.settings), amr, authTime, claims };
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

  /** Ends those sessions of a user that a new one of this client replaces, before others are counted. */
  async #endReplaced(user: UserId, client: SessionClient | undefined, em: EntityManager): Promise<void> {
    for (const { session } of client?.replaces?.filter(({ sub }) => sub === String(user)) ?? []) {
      await this.#record(await this.kernel.sessionEndings.endOne(session, user, em), { reason: 'superseded' }, em);
    }
  }

  /** Records what was ended, and tells how many sessions it was. */
  async #record(ended: readonly EndedSession[], { reason = 'app' }: RevokeOptions, em: EntityManager): Promise<number> {
    const events = ended.map(({ session, user }) => ['session.revoked', { session, user, reason }] as const);
    await this.kernel.journal.record(events, em);
    return ended.length;
  }
}
