import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { SessionContext } from '../tokens/session-context.js';
import type { PlainClaims, TokenSession } from '../tokens/token-factory.js';
import { ACCOUNT_ENTITY } from '../users/account.entity.js';
import type { BaseUser, UserId } from '../users/base-user.entity.js';
import type { PasswordOwner, UserService } from '../users/user.service.js';
import type { ClientDevice } from './client-device.js';
import { SESSION_ENTITY } from './session.entity.js';
import { SESSION_PREFIX, sessionStatements } from './session-statements.js';

/** A session as its row has it. Instants are milliseconds since the epoch, but `authTime` is in seconds. */
export interface SessionRow extends SessionContext {
  readonly jti: string;
  readonly previousJti: string | null;
  readonly rotatedAt: number;
  readonly rotatedFrom: string | null;
  readonly isFollowed: boolean;
  readonly followedGenerations: number;
  readonly expiresAt: number;
  readonly enabled: boolean;
  readonly isUserActive: boolean;
}

/** A session with its user, as both were just read. */
export interface FoundSession {
  readonly session: SessionRow;
  readonly user: BaseUser;
}

/** What is read of a session. */
const ROW = Object.keys({
  jti: true,
  previousJti: true,
  rotatedAt: true,
  rotatedFrom: true,
  isFollowed: true,
  followedGenerations: true,
  expiresAt: true,
  enabled: true,
  isUserActive: true,
  amr: true,
  authTime: true,
  claims: true,
} satisfies Record<keyof SessionRow, true>);

/** What a session is worth as its row has it: claims are null where none are bound. */
type StoredContext = Omit<SessionContext, 'claims'> & { readonly claims: SessionContext['claims'] | null };

/** A session that is opened. */
interface NewSession extends Pick<TokenSession, 'id' | 'jti'>, SessionContext, ClientDevice {
  readonly openedAt: Date;
  readonly expiresAt: Date;
}

/** What a rotation writes: ids of tokens, where it comes from, and dates of the next token. */
export interface Rotation {
  readonly origin: string | null;
  readonly presented: string;
  readonly next: string;
  readonly at: Date;
  readonly expiresAt: Date;
}

/** A live session in a list. Instants are milliseconds since the epoch. */
export interface ListedSession extends ClientDevice {
  readonly id: string;
  readonly created: number;
  /** When it was last rotated; a rotation that is not shown yet does not count. */
  readonly used: number;
  readonly expires: number;
  /** Whether a rotation is not shown yet. */
  readonly isHiding: boolean;
}

/**
 * The statements on the whitelist. Each names the user as an equality, and the session where it is about one, so that
 * the table can be partitioned by user.
 */
export class SessionStore {
  readonly #sql: ReturnType<typeof sessionStatements>;

  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    orm: MikroORM,
  ) {
    const [sessions, accounts] = [Table.named(orm, SESSION_ENTITY), Table.named(orm, ACCOUNT_ENTITY)];
    this.#sql = sessionStatements(sessions, users.table, accounts, users.hasPlainClaims);
  }

  /** An active user, just read, for whom a session may be opened, and the credential epoch. */
  async findOwner(
    user: UserId,
    em: EntityManager,
  ): Promise<{ readonly user: BaseUser; readonly credentialEpoch: number } | undefined> {
    const [row] = await this.database.query(this.#sql.owner, [user], em);
    if (!row) return undefined;
    return { user: this.users.fromRow(em, row), credentialEpoch: Number(row[`${SESSION_PREFIX}credentialEpoch`]) };
  }

  /**
   * Inserts a session, provided that the user is still active, has the credential epoch that the sign-in has read, and
   * still has the password hash that let the login in (if it was one: undefined is not compared). The share locks make
   * a password change or a deactivation wait for this one to commit, or this one for theirs.
   *
   * An invited user is in use from then on, and is not deleted when the invitation expires.
   *
   * @returns the password hash that the user has, or undefined when the login came too late
   */
  async insert(
    session: NewSession,
    user: Pick<PasswordOwner, 'id' | 'passwordHash'> & { readonly credentialEpoch: number },
    em: EntityManager,
  ): Promise<{ readonly passwordHash: string | null } | undefined> {
    const { id, jti, openedAt, expiresAt, ip, browser, os, device, amr, authTime, claims } = session;
    const proof = [user.id, user.passwordHash ?? null, user.passwordHash === undefined];
    const bound = Object.keys(claims).length > 0 ? JSON.stringify(claims) : null;
    const worth = [amr, new Date(authTime * 1000), bound];
    const parameters = [
      ...proof,
      id,
      jti,
      openedAt,
      expiresAt,
      ip,
      browser,
      os,
      device,
      ...worth,
      user.credentialEpoch,
    ];
    return (await this.database.query<{ passwordHash: string | null }>(this.#sql.insert, parameters, em))[0];
  }

  /**
   * Puts `next` in the place of `live` and makes `presented` its parent, provided that `live` is still the live token
   * of a live session of an active user. The two differ only where the database has lost a rotation.
   *
   * @returns what the rows of user and session say in a token, where the user `hasPlainClaims`; undefined when there
   * was nothing to rotate
   */
  async rotate(
    session: { id: string; user: UserId; live: string } & Rotation & ClientDevice,
    em: EntityManager,
  ): Promise<(PlainClaims & SessionContext) | undefined> {
    const { id, user, live, next, at, expiresAt, ip, browser, os, device, presented, origin } = session;
    const parameters = [id, user, live, next, at, expiresAt, ip, browser, os, device, presented, origin];
    const [row] = await this.database.query<PlainClaims & StoredContext>(this.#sql.rotate, parameters, em);
    return row && { ...row, claims: row.claims ?? {} };
  }

  /**
   * Notes that the parent of the live token came again from elsewhere.
   *
   * @returns false when `live` is not the live token any more
   */
  async markFollowed({ id, user, live }: { id: string; user: UserId; live: string }): Promise<boolean> {
    return (await this.database.query(this.#sql.markFollowed, [id, user, live])).length > 0;
  }

  /** The session as it is now, with its user. */
  async find(id: string, user: UserId, em: EntityManager): Promise<FoundSession | undefined> {
    const [row] = await this.database.query(this.#sql.find, [id, user], em);
    if (!row) return undefined;
    const session: Record<string, unknown> = {};
    for (const name of ROW) session[name] = row[SESSION_PREFIX + name];
    session['claims'] ??= {};
    return { session: session as unknown as SessionRow, user: this.users.fromRow(em, row) };
  }

  /**
   * What a session is worth that can still be rotated; undefined for any other. Within the transaction of `em`, nobody
   * can end it until that is over.
   */
  async findLive(id: string, user: UserId, at: Date, em?: EntityManager): Promise<SessionContext | undefined> {
    const sql = em ? `${this.#sql.live} for update` : this.#sql.live;
    const [row] = await this.database.query<StoredContext>(sql, [id, user, at], em);
    return row && { ...row, claims: row.claims ?? {} };
  }

  /** The password hash that a user has now. */
  async passwordHashOf(user: UserId): Promise<string | null> {
    const [row] = await this.database.query<{ hash: string | null }>(this.#sql.passwordHash, [user]);
    return row?.hash ?? null;
  }

  /**
   * The live sessions of a user, the one used last first, at most 200.
   *
   * @param hiddenSince a rotation since then is not shown yet
   */
  async list(user: UserId, at: Date, hiddenSince: Date): Promise<ListedSession[]> {
    return this.database.query<ListedSession>(this.#sql.list, [user, at, hiddenSince]);
  }
}
