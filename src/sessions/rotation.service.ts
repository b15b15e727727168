import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Clock, toSeconds } from '../clock.js';
import type { Database } from '../database/database.js';
import type { TokenReuse } from '../error.js';
import { authError, serviceUnavailable, tokenNotValid } from '../error-table.js';
import type { NewEvent } from '../observability/auth-events.js';
import type { Journal } from '../observability/journal.js';
import type { Telemetry } from '../observability/telemetry.js';
import type { Settings } from '../settings/settings.js';
import type { TokenClaims } from '../tokens/claims.js';
import { requestClientOf, type SessionContext } from '../tokens/session-context.js';
import type { PlainClaims, PreparedTokens, TokenFactory, TokenSession } from '../tokens/token-factory.js';
import type { Tokens } from '../tokens/tokens.js';
import type { UserId } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import type { AuthHooks } from './auth-hooks.js';
import { deviceOf, type SessionClient } from './client-device.js';
import { type RefreshTokenStatus, refreshTokenStatus } from './refresh-token-status.js';
import type { Replays } from './replays.js';
import type { ReuseReports } from './reuse-reports.js';
import type { RotationOrigins } from './rotation-origins.js';
import type { SessionService } from './session.service.js';
import type { FoundSession, SessionRow, SessionStore } from './session-store.js';
import type { TokenChoice } from './token-choice.js';

/**
 * Generations in a row whose parent may come again from elsewhere: an answer that was lost while a client changed
 * networks, and the same once more. At the next one it is a thief who follows.
 */
const MAX_FOLLOWED_GENERATIONS = 2;

/** A refresh token that was verified, with who sends it and from where. */
interface Presented {
  readonly claims: TokenClaims;
  readonly user: UserId;
  readonly client: SessionClient | undefined;
  readonly origin: string | null;
  /** Whether `beforeRefresh` has let it pass, or there is no such hook. */
  isAllowed: boolean;
}

/** A token that is to become the live one of its session. */
interface NextToken extends Omit<TokenSession, keyof SessionContext> {
  /** When it is made, in milliseconds since the epoch. */
  readonly at: number;
}

/** Reads of a session that other requests may change each time before its next token is stored. */
const MAX_ATTEMPTS = 3;

/** Trades a refresh token for its successor, and finds out whose token was copied (RFC 9700 §4.14.2). */
export class RotationService {
  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly sessionStore: SessionStore;
      readonly sessions: SessionService;
      readonly users: UserService;
      readonly tokens: TokenFactory;
      readonly settings: Settings;
      readonly clock: Clock;
      readonly journal: Journal;
      readonly telemetry: Telemetry;
      readonly reuseReports: ReuseReports;
      readonly replays: Replays;
      readonly rotationOrigins: RotationOrigins;
      readonly tokenChoice: TokenChoice;
      readonly hooks: AuthHooks;
    },
  ) {}

  /**
   * Consumes a refresh token and returns its one successor with a fresh access token. Any number of requests with the
   * same token, on any number of servers, get the same successor within REFRESH_REUSE_GRACE.
   *
   * @param client who sends it, for COLLECT_USER_AGENT
   * @throws token_not_valid for a token that is forged, expired, of an ended session or of a deactivated user
   * @throws refresh_token_reused for a replay; its session is revoked
   * @throws session_expired past SESSION_LIFETIME; the session is revoked
   * @throws what `beforeRefresh` throws; the token stays good
   */
  async rotate(token: string, client?: SessionClient): Promise<Tokens> {
    return this.kernel.telemetry.measure('rotate', (outcome) => this.#rotate(token, client, outcome));
  }

  /**
   * Rotates the live one of several refresh tokens of one client: a used one beside it is no theft, and one that is
   * foreign or forged does nothing. Without a live one, all is as if a used one had come alone.
   *
   * @throws what `rotate` throws
   */
  async rotateAny(tokens: readonly string[], client?: SessionClient): Promise<Tokens> {
    return this.rotate(await this.kernel.tokenChoice.best(tokens), client);
  }

  async #rotate(token: string, client: SessionClient | undefined, outcome: (name: string) => void): Promise<Tokens> {
    const claims = this.kernel.tokens.readRefresh(token);
    const now = this.kernel.clock.now();
    if (this.kernel.tokens.deadline(claims.session_iat) <= toSeconds(now)) {
      await this.kernel.sessions.revoke(claims, { reason: 'session-lifetime' });
      throw authError('session_expired');
    }
    if (claims.exp <= toSeconds(now)) throw tokenNotValid('expired');
    const origin = this.kernel.rotationOrigins.of(claims.session, client);
    const isAllowed = !this.kernel.hooks.beforeRefresh;
    const presented = { claims, user: this.kernel.users.keyOf(claims.sub), client, origin, isAllowed };
    const successor = this.#needsNoAppCode ? await this.#rotateInOneStatement(presented) : undefined;
    if (successor) return successor;
    const attempts = presented.isAllowed ? MAX_ATTEMPTS : MAX_ATTEMPTS + 1; // the hook takes one
    for (let attempt = 0; attempt < attempts; attempt++) {
      const tokens = await this.#answer(presented, outcome);
      if (tokens) return tokens;
    }
    throw serviceUnavailable();
  }

  /** Whether no code of the app runs for a successor, which then cannot fail, and which one statement makes. */
  get #needsNoAppCode(): boolean {
    const { tokens, users, hooks } = this.kernel;
    return tokens.isPlain && users.hasPlainClaims && !hooks.beforeRefresh;
  }

  /** Rotates the live token of a live session, in one statement that also reads the user. Undefined: it is not that. */
  async #rotateInOneStatement(presented: Presented): Promise<Tokens | undefined> {
    const { claims } = presented;
    const next = this.#nextOf(claims, this.kernel.clock.now());
    const owner = await this.#store(presented, claims.jti, next, undefined, this.kernel.database.fork());
    if (!owner) return undefined;
    return this.kernel.tokens.signPlain(claims.sub, owner, { ...next, ...contextOf(owner) });
  }

  /** Does what follows from the state of the session. Undefined: it changed before the answer was stored. */
  async #answer(presented: Presented, outcome: (name: TokenReuse) => void): Promise<Tokens | undefined> {
    const { claims, user } = presented;
    const em = this.kernel.database.fork();
    const found = await this.kernel.sessionStore.find(claims.session, user, em);
    if (!found) return this.#refuse('unknown-session', claims);
    const { session } = found;
    if (!session.enabled) return this.#refuse('revoked-session', claims);
    if (!session.isUserActive) {
      await this.kernel.sessions.revokeAll(user, { reason: 'deactivation' });
      throw tokenNotValid('no-active-user');
    }
    const standing = this.#statusOf(claims, session);
    const isFollowing = standing === 'parent' && isElsewhere(presented, session);
    const isThief = isFollowing && session.followedGenerations >= MAX_FOLLOWED_GENERATIONS;
    if (standing === 'used' || isThief) return this.kernel.replays.refuse(claims);
    if (session.expiresAt <= this.kernel.clock.now()) throw tokenNotValid('session-ended');
    if (standing !== 'parent' && !presented.isAllowed) return this.#runHook(presented, found);
    const prepared = await this.kernel.tokens.prepare(found.user, { session, client: presented.client });
    const reuse = standing === 'parent' ? 'lost-response' : standing === 'newer' ? 'recovered' : undefined;
    const tokens =
      reuse === 'lost-response'
        ? await this.#repeat(presented, session, prepared, isFollowing)
        : await this.#rotateLive(presented, session, prepared, reuse, em);
    if (tokens && reuse) outcome(reuse);
    return tokens;
  }

  /** Asks `beforeRefresh`. Undefined: the session and its user are read again, because a hook takes its time. */
  async #runHook(presented: Presented, { session, user }: FoundSession): Promise<undefined> {
    const { claims, client } = presented;
    const worth = { id: claims.session, ...contextOf(session) };
    await this.kernel.hooks.beforeRefresh?.({ user, session: worth, client: requestClientOf(client) });
    presented.isAllowed = true;
  }

  /** The live token once more, for its parent. Undefined: it is not the live one any more. */
  async #repeat(
    { claims, user }: Presented,
    row: SessionRow,
    prepared: PreparedTokens,
    isFollowing: boolean,
  ): Promise<Tokens | undefined> {
    const tokens = this.kernel.tokens.sign(prepared, liveToken(claims, row));
    const isToMark = isFollowing && !row.isFollowed; // once a generation, however often its parent comes
    if (isToMark && !(await this.kernel.sessionStore.markFollowed({ id: claims.session, user, live: row.jti })))
      return undefined;
    this.kernel.reuseReports.report('lost-response', claims);
    return tokens;
  }

  /**
   * Signs the successor and then stores it, so that a token is consumed only when its successor exists. The user was
   * read and `forUser` has run before: neither a lock nor a connection is held while code of the app runs.
   */
  async #rotateLive(
    presented: Presented,
    row: SessionRow,
    prepared: PreparedTokens,
    reuse: 'recovered' | undefined,
    reader: EntityManager,
  ): Promise<Tokens | undefined> {
    // Never earlier than the parent, by whichever server's clock.
    const next = this.#nextOf(presented.claims, Math.max(this.kernel.clock.now(), row.rotatedAt));
    const tokens = this.kernel.tokens.sign(prepared, { ...next, ...contextOf(row) });
    return (await this.#store(presented, row.jti, next, reuse, reader)) && tokens;
  }

  /** The session with a new live token, made at an instant in milliseconds. */
  #nextOf({ session, session_iat }: TokenClaims, at: number): NextToken {
    const issuedAt = toSeconds(at);
    const expiresAt = this.kernel.tokens.refreshExpiry(issuedAt, session_iat);
    return { id: session, openedAt: session_iat, jti: randomUUID(), at, issuedAt, expiresAt };
  }

  /**
   * Puts the next token in the place of the live one. Undefined: that is not the live one of a live session any more.
   */
  async #store(
    { claims, user, client, origin }: Presented,
    live: string,
    next: NextToken,
    reuse: 'recovered' | undefined,
    reader: EntityManager,
  ): Promise<(PlainClaims & SessionContext) | undefined> {
    const ids = { id: claims.session, user, live, presented: claims.jti, next: next.jti, origin };
    const dates = { at: new Date(next.at), expiresAt: new Date(next.expiresAt * 1000) };
    const owner = await this.kernel.journal.runAudited(async (em) => {
      const rotated = await this.kernel.sessionStore.rotate(
        { ...ids, ...dates, ...deviceOf(client, this.kernel.settings) },
        em,
      );
      if (!rotated) return undefined;
      const events: NewEvent[] = [['session.refreshed', { session: claims.session, user: claims.sub }]];
      if (reuse) events.push(this.kernel.reuseReports.event(reuse, claims));
      await this.kernel.journal.record(events, em);
      return rotated;
    }, reader);
    if (!owner) return undefined;
    if (reuse) this.kernel.reuseReports.log(reuse, claims);
    await this.kernel.sessions.keepNetworkKnown(claims, client);
    return owner;
  }

  #statusOf(claims: TokenClaims, row: SessionRow): RefreshTokenStatus {
    return refreshTokenStatus(claims, row, this.kernel.settings.refreshReuseGrace, this.kernel.clock.now());
  }

  #refuse(reuse: Exclude<TokenReuse, 'replay'>, claims: TokenClaims): never {
    this.kernel.reuseReports.report(reuse, claims);
    throw tokenNotValid(reuse);
  }
}

/** The live token of a session once more: same id, same instants. */
function liveToken({ session, session_iat }: TokenClaims, row: SessionRow): TokenSession {
  const dates = { openedAt: session_iat, issuedAt: toSeconds(row.rotatedAt), expiresAt: toSeconds(row.expiresAt) };
  return { id: session, jti: row.jti, ...dates, ...contextOf(row) };
}

/** What a session is worth, which no rotation changes. */
function contextOf({ amr, authTime, claims }: SessionContext): SessionContext {
  return { amr, authTime, claims };
}

/**
 * Whether a token comes from another place than the one that rotated its session last. What is not known is no other.
 */
function isElsewhere({ origin }: Presented, { rotatedFrom }: SessionRow): boolean {
  return origin !== null && rotatedFrom !== null && origin !== rotatedFrom;
}
