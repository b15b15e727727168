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
import type { Telemetry } from '../observability/telemetry.js';
import type { Settings } from '../settings/settings.js';
import type { TokenClaims } from '../tokens/claims.js';
import type { PreparedTokens, TokenFactory } from '../tokens/token-factory.js';
import type { Tokens } from '../tokens/tokens.js';
import type { UserId } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import { deviceOf, type SessionClient } from './client-device.js';
import type { ReuseReports } from './reuse-reports.js';
import type { SessionService } from './session.service.js';
import type { SessionEndings } from './session-endings.js';
import type { SessionRow, SessionStore } from './session-store.js';
import { standingOf, type TokenStanding } from './token-standing.js';

/** The order in which one of several tokens is chosen. `dead`: expired, or of no live session; `foreign`: not a token of this app. */
const CHOICE = ['live', 'newer', 'parent', 'used', 'dead', 'foreign'] as const satisfies readonly (
  | TokenStanding
  | 'dead'
  | 'foreign'
)[];

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
    private readonly reports: ReuseReports,
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
    if (tokens.length < 2) return this.rotate(tokens[0] ?? '', client);
    const em = this.database.fork();
    let best = { token: '', choice: CHOICE.length as number };
    for (const token of tokens) {
      const choice = CHOICE.indexOf(await this.#look(token, em));
      if (choice < best.choice) best = { token, choice };
      if (choice === 0) break;
    }
    return this.rotate(best.token, client);
  }

  /** Finds out what a token is, and changes nothing. */
  async #look(token: string, em: EntityManager): Promise<(typeof CHOICE)[number]> {
    try {
      const claims = this.tokens.readRefresh(token);
      if (claims.exp <= toSeconds(this.clock.now())) return 'dead';
      const found = await this.store.find(claims.session, this.users.keyOf(claims.sub), em);
      if (!found?.session.enabled || !found.session.isUserActive) return 'dead';
      return this.#standingOf(claims, found.session);
    } catch (error) {
      if (isTokenNotValid(error)) return 'foreign';
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
    const standing = this.#standingOf(claims, found.session);
    if (standing === 'used') {
      return this.#refuse((await this.#endReplayed(claims)) ? 'replay' : 'revoked-session', claims);
    }
    if (found.session.expiresAt <= this.clock.now()) throw tokenNotValid('session-ended');
    const prepared = await this.tokens.prepare(found.user);
    const reuse = standing === 'parent' ? 'lost-response' : standing === 'newer' ? 'recovered' : undefined;
    const tokens =
      reuse === 'lost-response'
        ? this.#repeat(claims, found.session, prepared)
        : await this.#rotateOn(claims, found.session, prepared, client, reuse);
    if (tokens && reuse) outcome(reuse);
    return tokens;
  }

  /** The live token once more, for its parent. */
  #repeat(claims: TokenClaims, row: SessionRow, prepared: PreparedTokens): Tokens {
    const tokens = this.tokens.sign(prepared, liveToken(claims, row));
    this.reports.tell('lost-response', claims);
    return tokens;
  }

  /**
   * Signs the successor and then stores it, so that a token is consumed only when its successor exists. The user was read
   * and `forUser` has run before: neither a lock nor a connection is held while code of the app runs.
   */
  async #rotateOn(
    claims: TokenClaims,
    { jti: live, rotatedAt }: SessionRow,
    prepared: PreparedTokens,
    client: SessionClient | undefined,
    reuse: 'recovered' | undefined,
  ): Promise<Tokens | undefined> {
    const now = Math.max(this.clock.now(), rotatedAt); // never earlier than the parent, by whichever server's clock
    const issuedAt = toSeconds(now);
    const expiresAt = this.tokens.refreshExpiry(issuedAt, claims.session_iat);
    const next = { id: claims.session, openedAt: claims.session_iat, jti: randomUUID(), issuedAt, expiresAt };
    const tokens = this.tokens.sign(prepared, next);
    const session = { id: claims.session, user: this.users.keyOf(claims.sub), live };
    const change = { presented: claims.jti, next: next.jti, at: new Date(now), expiresAt: new Date(expiresAt * 1000) };
    const isRotated = await this.journal.together(async (em) => {
      const rotated = await this.store.rotate({ ...session, ...change, ...deviceOf(client, this.settings) }, em);
      if (!rotated) return false;
      const events: Happening[] = [['session.refreshed', { session: claims.session, user: claims.sub }]];
      if (reuse) events.push(this.reports.event(reuse, claims));
      await this.journal.record(events, em);
      return true;
    });
    if (!isRotated) return undefined;
    if (reuse) this.reports.log(reuse, claims);
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
        if (ended) await this.journal.record([this.reports.event('replay', claims)], em);
        return ended;
      });
      if (isEnded) this.reports.log('replay', claims);
      return isEnded;
    } catch (error) {
      this.reports.tell('replay', claims);
      if (this.journal.isWriting) await this.endings.one(claims.session, this.users.keyOf(claims.sub));
      throw error;
    }
  }

  #standingOf(claims: TokenClaims, row: SessionRow): TokenStanding {
    return standingOf(claims, row, this.settings.refreshReuseGrace, this.clock.now());
  }

  #refuse(reuse: TokenReuse, claims: TokenClaims): never {
    if (reuse !== 'replay') {
      this.reports.tell(reuse, claims);
      throw tokenNotValid(reuse);
    }
    const detail = 'The refresh token was used before. The session has been ended; sign in again.';
    throw new JwtAllauthError(ErrorCode.RefreshTokenReused, 401, detail, { reason: reuse });
  }
}

/** The live token of a session once more: same id, same instants. */
function liveToken({ session, session_iat }: TokenClaims, { jti, rotatedAt, expiresAt }: SessionRow) {
  return { id: session, openedAt: session_iat, jti, issuedAt: toSeconds(rotatedAt), expiresAt: toSeconds(expiresAt) };
}
