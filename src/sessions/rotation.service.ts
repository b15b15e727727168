import { randomUUID } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/postgresql';
import { type Clock, toSeconds } from '../clock.js';
import type { Database } from '../database/database.js';
import {
  ErrorCode,
  isTokenNotValid,
  JwtAllauthError,
  serviceUnavailable,
  type TokenReuse,
  tokenNotValid,
} from '../error.js';
import type { Happening } from '../observability/auth-events.js';
import type { Journal } from '../observability/journal.js';
import type { Logger } from '../observability/logger.js';
import type { Telemetry } from '../observability/telemetry.js';
import type { Settings } from '../settings/settings.js';
import type { TokenClaims } from '../tokens/claims.js';
import type { PreparedTokens, TokenFactory } from '../tokens/token-factory.js';
import type { Tokens } from '../tokens/tokens.js';
import type { UserId } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import { deviceOf, type SessionClient } from './client-device.js';
import type { SessionService } from './session.service.js';
import type { SessionEndings } from './session-endings.js';
import type { SessionRow, SessionStore } from './session-store.js';

/** What one of several tokens is worth: the lowest is rotated. */
const STANDING = {
  /** The live token of its session. */
  live: 0,
  /** Its parent, within the grace. */
  parent: 1,
  /** Used before. */
  used: 2,
  /** Expired, or of no live session. */
  dead: 3,
  /** Not a token of this app. */
  foreign: 4,
} as const;

/** Reads of a session that other requests may change each time before its next token is stored. */
const ATTEMPTS = 3;

/** Trades a refresh token for its successor, and finds out whose token was copied (RFC 9700 §4.14.2). */
export class RotationService {
  constructor(
    private readonly database: Database,
    private readonly store: SessionStore,
    private readonly endings: SessionEndings,
    private readonly sessions: SessionService,
    private readonly users: UserService,
    private readonly tokens: TokenFactory,
    private readonly settings: Settings,
    private readonly clock: Clock,
    private readonly journal: Journal,
    private readonly telemetry: Telemetry,
    private readonly logger: Logger,
  ) {}

  /**
   * Consumes a refresh token and returns its one successor with a fresh access token. Any number of requests with the same
   * token, on any number of servers, get the same successor within REFRESH_REUSE_GRACE.
   *
   * @param client who sends it, for COLLECT_USER_AGENT
   * @throws token_not_valid for a token that is forged, expired, of an ended session or of a deactivated user
   * @throws refresh_token_reused for a replay; its session is revoked
   * @throws session_expired past SESSION_LIFETIME; the session is revoked
   */
  async rotate(token: string, client?: SessionClient): Promise<Tokens> {
    return this.telemetry.measure('rotate', (outcome) => this.#rotate(token, client, outcome));
  }

  /**
   * Rotates the live one of several refresh tokens of one client: a used one beside it is no theft, and one that is foreign
   * or forged does nothing. Without a live one, all is as if a used one had come alone.
   *
   * @throws what `rotate` throws
   */
  async rotateAny(tokens: readonly string[], client?: SessionClient): Promise<Tokens> {
    const em = this.database.fork();
    let best = { token: tokens[0] ?? '', standing: STANDING.foreign as number };
    for (const token of tokens.length > 1 ? tokens : []) {
      const standing = await this.#standingOf(token, em);
      if (standing < best.standing) best = { token, standing };
      if (standing === STANDING.live) break;
    }
    return this.rotate(best.token, client);
  }

  /** Looks what a token is worth, and changes nothing. */
  async #standingOf(token: string, em: EntityManager): Promise<number> {
    try {
      const claims = this.tokens.readRefresh(token);
      if (claims.exp <= toSeconds(this.clock.now())) return STANDING.dead;
      const found = await this.store.find(claims.session, this.users.keyOf(claims.sub), em);
      if (!found?.session.enabled || !found.session.isUserActive) return STANDING.dead;
      if (found.session.jti === claims.jti) return STANDING.live;
      return this.#isLostResponse(claims, found.session) ? STANDING.parent : STANDING.used;
    } catch (error) {
      if (isTokenNotValid(error)) return STANDING.foreign;
      throw error;
    }
  }

  async #rotate(token: string, client: SessionClient | undefined, outcome: (name: string) => void): Promise<Tokens> {
    const claims = this.tokens.readRefresh(token);
    const now = this.clock.now();
    if (this.tokens.deadline(claims.session_iat) <= toSeconds(now)) {
      await this.sessions.revoke(claims, { reason: 'session-lifetime' });
      throw new JwtAllauthError(ErrorCode.SessionExpired, 401, 'The session has reached its end; sign in again.');
    }
    if (claims.exp <= toSeconds(now)) throw tokenNotValid('expired');
    const user = this.users.keyOf(claims.sub);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const tokens = await this.#answer(claims, user, client, outcome);
      if (tokens) return tokens;
    }
    throw serviceUnavailable();
  }

  /** Does what follows from the state of the session. Undefined: it changed before the successor was stored. */
  async #answer(
    claims: TokenClaims,
    user: UserId,
    client: SessionClient | undefined,
    outcome: (name: TokenReuse) => void,
  ): Promise<Tokens | undefined> {
    const em = this.database.fork();
    const found = await this.store.find(claims.session, user, em);
    if (!found) return this.#refuse('unknown-session', claims);
    if (!found.session.enabled) return this.#refuse('revoked-session', claims);
    if (!found.session.isUserActive) {
      await this.sessions.revokeAll(user, { reason: 'deactivation' });
      throw tokenNotValid('no-active-user');
    }
    if (found.session.jti === claims.jti) {
      return this.#rotateLive(claims, found.session, await this.tokens.prepare(found.user), client);
    }
    if (this.#isLostResponse(claims, found.session)) {
      const tokens = await this.tokens.issue(found.user, liveToken(claims, found.session));
      this.#tell('lost-response', claims);
      outcome('lost-response');
      return tokens;
    }
    return this.#refuse((await this.#endReplayed(claims)) ? 'replay' : 'revoked-session', claims);
  }

  /**
   * Signs the successor and then stores it, so that a token is consumed only when its successor exists. The user was read
   * and `forUser` has run before: neither a lock nor a connection is held while code of the app runs.
   */
  async #rotateLive(
    claims: TokenClaims,
    { rotatedAt }: SessionRow,
    prepared: PreparedTokens,
    client: SessionClient | undefined,
  ): Promise<Tokens | undefined> {
    const now = Math.max(this.clock.now(), rotatedAt); // never earlier than the parent, by whichever server's clock
    const issuedAt = toSeconds(now);
    const expiresAt = this.tokens.refreshExpiry(issuedAt, claims.session_iat);
    const next = { id: claims.session, openedAt: claims.session_iat, jti: randomUUID(), issuedAt, expiresAt };
    const tokens = this.tokens.sign(prepared, next);
    const session = { id: claims.session, user: this.users.keyOf(claims.sub), presented: claims.jti, next: next.jti };
    const dates = { at: new Date(now), expiresAt: new Date(expiresAt * 1000) };
    const isRotated = await this.journal.together(async (em) => {
      const rotated = await this.store.rotate({ ...session, ...dates, ...deviceOf(client, this.settings) }, em);
      const refreshed = { session: claims.session, user: claims.sub };
      if (rotated) await this.journal.record([['session.refreshed', refreshed]], em);
      return rotated;
    });
    if (!isRotated) return undefined;
    await this.sessions.keepNetworkKnown(claims, client);
    return tokens;
  }

  /**
   * Ends the session, on a connection of its own and committed before the answer: no failure of this request takes it back,
   * and none of the audit log keeps it alive. False: somebody else has ended it meanwhile. A theft is told even if we never
   * learn whether the statement arrived.
   */
  async #endReplayed(claims: TokenClaims): Promise<boolean> {
    try {
      const isEnded = await this.journal.together(async (em) => {
        const ended = await this.sessions.revoke(claims, { em, reason: 'replay' });
        if (ended) await this.journal.record([this.#reused('replay', claims)], em);
        return ended;
      });
      if (isEnded) this.#log('replay', claims);
      return isEnded;
    } catch (error) {
      this.#tell('replay', claims);
      if (this.journal.isWriting) await this.endings.one(claims.session, this.users.keyOf(claims.sub));
      throw error;
    }
  }

  #isLostResponse({ jti }: TokenClaims, { previousJti, rotatedAt }: SessionRow): boolean {
    const grace = this.settings.refreshReuseGrace * 1000;
    return grace > 0 && jti === previousJti && this.clock.now() - rotatedAt <= grace;
  }

  #refuse(reuse: TokenReuse, claims: TokenClaims): never {
    if (reuse !== 'replay') {
      this.#tell(reuse, claims);
      throw tokenNotValid(reuse);
    }
    const detail = 'The refresh token was used before. The session has been ended; sign in again.';
    throw new JwtAllauthError(ErrorCode.RefreshTokenReused, 401, detail, { reason: reuse });
  }

  #tell(reuse: TokenReuse, claims: TokenClaims): void {
    this.#log(reuse, claims);
    this.journal.tell(this.#reused(reuse, claims));
  }

  #log(reuse: TokenReuse, { session, sub }: TokenClaims): void {
    const level = reuse === 'lost-response' ? 'info' : 'warn';
    this.logger[level]({ reuse, session, user: sub }, 'refresh token reuse');
  }

  #reused(reuse: TokenReuse, { session, sub }: TokenClaims): Happening {
    return ['session.reuse-detected', { reuse, session, user: sub }];
  }
}

/** The live token of a session once more: same id, same instants. */
function liveToken({ session, session_iat }: TokenClaims, { jti, rotatedAt, expiresAt }: SessionRow) {
  return { id: session, openedAt: session_iat, jti, issuedAt: toSeconds(rotatedAt), expiresAt: toSeconds(expiresAt) };
}
