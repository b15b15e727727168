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
import type { KnownNetworks } from './known-networks.js';
import type { Replays } from './replays.js';
import type { ReuseReports } from './reuse-reports.js';
import type { RotationOrigins } from './rotation-origins.js';
import type { SessionService } from './session.service.js';
import type { SessionKeys } from './session-keys.js';
import type { FoundSession, SessionRow, SessionStore, StampedProof } from './session-store.js';
import type { TokenChoice } from './token-choice.js';
import { type PresentedToken, verdictOn } from './token-verdict.js';

/** A verified refresh token, and what its rotation needs. */
interface Presented extends PresentedToken {
  readonly user: UserId;
  /** The proof by the client's key. Undefined if the request has no proof and needs none. */
  readonly proof: StampedProof | undefined;
  /** Whether `beforeRefresh` has accepted it, or there is no such hook. */
  isAllowed: boolean;
}

/** The next live token of a session. */
interface NextToken extends Omit<TokenSession, keyof SessionContext> {
  /** The time of the rotation, in milliseconds since the epoch. */
  readonly at: number;
}

/** How often the session is read at most, if parallel requests change it before the next token is stored. */
const MAX_ATTEMPTS = 3;

/** Exchanges refresh tokens for their successors, and detects stolen ones (RFC 9700 §4.14.2). */
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
      readonly sessionKeys: SessionKeys;
      readonly knownNetworks: KnownNetworks;
      readonly hooks: AuthHooks;
    },
  ) {}

  /**
   * Consumes a refresh token, and returns its only successor and a new access token. Within REFRESH_REUSE_GRACE, and
   * until the successor is used, requests with the same token get the same successor, on all servers. A session that is
   * bound to a key has no such limit of time, because only its client has the key.
   *
   * A proof of the client binds an unbound session to its key.
   *
   * @param client the client that sends the request
   * @throws dpop_proof_invalid if the session is bound and the client has no proof by its key; nothing is ended
   * @throws use_dpop_nonce if the client has to make the proof again, with a nonce
   * @throws token_not_valid for a token that is forged or expired, and if its session has ended or its user is inactive
   * @throws refresh_token_reused for a replay; the session is revoked
   * @throws session_expired after SESSION_LIFETIME; the session is revoked
   * @throws service_unavailable if parallel requests keep changing the session
   * @throws what `beforeRefresh` and `forUser` throw; the token stays valid
   */
  async rotate(token: string, client?: SessionClient): Promise<Tokens> {
    return this.kernel.telemetry.measure('rotate', (outcome) => this.#rotate(token, client, outcome));
  }

  /**
   * Rotates one of several refresh tokens of a client: the live one if there is one. A used token next to a live one
   * does not count as a replay. Without a live token, the best of the others is rotated or refused (`TokenChoice`).
   *
   * @throws what `rotate` throws
   */
  async rotateAny(tokens: readonly string[], client?: SessionClient): Promise<Tokens> {
    return this.rotate(await this.kernel.tokenChoice.best(tokens, client?.proof?.thumbprint), client);
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
    const proof = this.kernel.sessionKeys.proofForToken(claims, client);
    const isAllowed = !this.kernel.hooks.beforeRefresh;
    const presented = { claims, user: this.kernel.users.keyOf(claims.sub), client, proof, origin, isAllowed };
    const successor = this.#canUseOneStatement ? await this.#rotateInOneStatement(presented) : undefined;
    if (successor) return successor;
    const attempts = presented.isAllowed ? MAX_ATTEMPTS : MAX_ATTEMPTS + 1; // one of them runs `beforeRefresh`
    for (let attempt = 0; attempt < attempts; attempt++) {
      const tokens = await this.#rotateOrRefuse(presented, outcome);
      if (tokens) return tokens;
    }
    throw serviceUnavailable();
  }

  /** Whether a rotation runs no code of the app. Then a single statement can rotate, and signing cannot fail. */
  get #canUseOneStatement(): boolean {
    const { tokens, users, hooks } = this.kernel;
    return tokens.isPlain && users.hasPlainClaims && !hooks.beforeRefresh;
  }

  /**
   * Rotates in one statement, which also reads the user. Undefined: nothing was rotated, because the token is not the
   * live token of a live session, or for another reason.
   */
  async #rotateInOneStatement(presented: Presented): Promise<Tokens | undefined> {
    const { claims } = presented;
    const next = this.#nextOf(claims, this.kernel.clock.now());
    const em = this.kernel.database.statementManager();
    const owner = await this.#store(presented, { jti: claims.jti }, next, undefined, em);
    if (!owner) return undefined;
    const keyThumbprint = presented.proof?.thumbprint;
    return this.kernel.tokens.signPlain(claims.sub, owner, { ...next, keyThumbprint, ...contextOf(owner) });
  }

  /** Rotates or refuses, depending on the state of the session. Undefined: the state may have changed, try again. */
  async #rotateOrRefuse(presented: Presented, outcome: (name: TokenReuse) => void): Promise<Tokens | undefined> {
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
    const { settings, clock } = this.kernel;
    const { status, isFollowing, isReplay } = verdictOn(presented, session, settings.refreshReuseGrace, clock.now());
    // A replayed token that names no key, or another key than the session, ends the session also without a proof.
    const isOfThisKey = claims.cnf?.jkt === session.keyThumbprint;
    const isToProve = isOfThisKey || !isReplay;
    const proof = isToProve ? this.kernel.sessionKeys.proofForSession(presented, session) : undefined;
    if (isReplay) return this.kernel.replays.refuse(claims);
    if (session.expiresAt <= rotationTime(claims, session, clock.now())) throw tokenNotValid('session-ended');
    if (status !== 'parent' && !presented.isAllowed) return this.#runHook(presented, found);
    const prepared = await this.kernel.tokens.prepare(found.user, { session, client: presented.client });
    const reuse = status === 'parent' ? 'lost-response' : status === 'newer' ? 'recovered' : undefined;
    const tokens =
      reuse === 'lost-response'
        ? await this.#signLiveAgain({ ...presented, proof }, session, prepared, isFollowing)
        : await this.#rotateLive(presented, session, prepared, reuse, em);
    if (tokens && reuse) outcome(reuse);
    return tokens;
  }

  /** Runs `beforeRefresh`. Returns undefined, so that session and user are read again: the hook may take long. */
  async #runHook(presented: Presented, { session, user }: FoundSession): Promise<undefined> {
    const { claims, client } = presented;
    const context = { id: claims.session, ...contextOf(session) };
    await this.kernel.hooks.beforeRefresh?.({ user, session: context, client: requestClientOf(client) });
    presented.isAllowed = true;
  }

  /** Signs the live token again, for its parent. Undefined: it is not the live token any more. */
  async #signLiveAgain(
    { claims, user, proof }: Presented,
    row: SessionRow,
    prepared: PreparedTokens,
    isFollowing: boolean,
  ): Promise<Tokens | undefined> {
    const tokens = this.kernel.tokens.sign(prepared, liveToken(claims, row));
    if (proof && !(await this.kernel.sessionStore.useProof({ id: claims.session, user, live: row.jti }, proof)))
      return undefined;
    const isToMark = isFollowing && !row.isFollowed; // each generation is marked only once
    if (isToMark && !(await this.kernel.sessionStore.markFollowed({ id: claims.session, user, live: row.jti })))
      return undefined;
    this.kernel.reuseReports.report('lost-response', claims);
    return tokens;
  }

  /**
   * Signs the successor and then stores it, so that a token is consumed only if its successor exists. `forUser` has run
   * before, without a lock or a connection.
   */
  async #rotateLive(
    presented: Presented,
    row: SessionRow,
    prepared: PreparedTokens,
    reuse: 'recovered' | undefined,
    reader: EntityManager,
  ): Promise<Tokens | undefined> {
    const next = this.#nextOf(presented.claims, rotationTime(presented.claims, row, this.kernel.clock.now()));
    const keyThumbprint = presented.proof?.thumbprint;
    const tokens = this.kernel.tokens.sign(prepared, { ...next, keyThumbprint, ...contextOf(row) });
    return (await this.#store(presented, { jti: row.jti, context: contextOf(row) }, next, reuse, reader)) && tokens;
  }

  /** Makes the next token. @param at milliseconds since the epoch */
  #nextOf({ session, session_iat }: TokenClaims, at: number): NextToken {
    const issuedAt = toSeconds(at);
    const expiresAt = this.kernel.tokens.refreshExpiry(issuedAt, session_iat);
    return { id: session, openedAt: session_iat, jti: randomUUID(), at, issuedAt, expiresAt };
  }

  /**
   * Stores the next token as the live one. Undefined: `live` is not the live token of a live session any more, or the
   * user has authenticated again since the context of the session was read.
   */
  async #store(
    { claims, user, client, proof, origin }: Presented,
    live: { readonly jti: string; readonly context?: SessionContext },
    next: NextToken,
    reuse: 'recovered' | undefined,
    reader: EntityManager,
  ): Promise<(PlainClaims & SessionContext) | undefined> {
    const ids = { id: claims.session, user, live: live.jti, presented: claims.jti, next: next.jti, origin, proof };
    const dates = { at: new Date(next.at), expiresAt: new Date(next.expiresAt * 1000) };
    const owner = await this.kernel.journal.runAudited(async (em) => {
      const rotated = await this.kernel.sessionStore.rotate(
        { ...ids, ...dates, ...deviceOf(client, this.kernel.settings) },
        em,
        live.context,
      );
      if (!rotated) return undefined;
      const events: NewEvent[] = [['session.refreshed', { session: claims.session, user: claims.sub }]];
      if (reuse) events.push(this.kernel.reuseReports.event(reuse, claims));
      await this.kernel.journal.record(events, em);
      return rotated;
    }, reader);
    if (!owner) return undefined;
    if (reuse) this.kernel.reuseReports.log(reuse, claims);
    await this.kernel.knownNetworks.renewDaily(claims, client?.ip);
    return owner;
  }

  #refuse(reuse: Exclude<TokenReuse, 'replay'>, claims: TokenClaims): never {
    this.kernel.reuseReports.report(reuse, claims);
    throw tokenNotValid(reuse);
  }
}

/**
 * The time of the next rotation, in milliseconds since the epoch. Even if clocks of servers are behind, it is never
 * earlier than the last rotation, or than the presented token, which is newer than that if the database has lost
 * rotations. Otherwise that token would count as newer again after its own rotation.
 */
function rotationTime({ iat }: TokenClaims, { rotatedAt }: SessionRow, now: number): number {
  return Math.max(now, rotatedAt, iat * 1000);
}

/** The live token of a session, with its id and instants, to sign it again. */
function liveToken({ session, session_iat }: TokenClaims, row: SessionRow): TokenSession {
  const dates = { openedAt: session_iat, issuedAt: toSeconds(row.rotatedAt), expiresAt: toSeconds(row.expiresAt) };
  const keyThumbprint = row.keyThumbprint ?? undefined;
  return { id: session, jti: row.jti, keyThumbprint, ...dates, ...contextOf(row) };
}

/** The context of a session, which rotations do not change. */
function contextOf({ amr, authTime, claims }: SessionContext): SessionContext {
  return { amr, authTime, claims };
}
