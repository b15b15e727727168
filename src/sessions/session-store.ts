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

/** A row of the session table. Instants are milliseconds since the epoch, except `authTime`, which is in seconds. */
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
  /** The thumbprint of the key to which it is bound. */
  readonly keyThumbprint: string | null;
  /** The stamps of the proofs that it remembers, highest first. */
  readonly proofs: readonly string[];
}

/** A session and its user, just read. */
export interface FoundSession {
  readonly session: SessionRow;
  readonly user: BaseUser;
}

/** An active user for whom a session is to be opened, just read. */
export interface SessionOwner {
  readonly user: BaseUser;
  readonly credentialEpoch: number;
  /** The names of the user's second factors. */
  readonly secondFactors: readonly string[];
}

/** The context of a session as its row has it. `claims` is null if none are bound. */
type StoredContext = Omit<SessionContext, 'claims'> & { readonly claims: SessionContext['claims'] | null };

/** The context of a live session, and the state of its user's account. */
export interface AccountOfSession extends SessionContext {
  readonly credentialEpoch: number;
  /** The names of the user's second factors. */
  readonly secondFactors: readonly string[];
  readonly hasPassword: boolean;
  readonly email: string;
  /** The thumbprint of the key to which the session is bound. */
  readonly keyThumbprint: string | null;
}

/** A session that is to be inserted. */
interface NewSession extends Pick<TokenSession, 'id' | 'jti' | 'keyThumbprint'>, SessionContext, ClientDevice {
  readonly openedAt: Date;
  readonly expiresAt: Date;
}

/** What a new proof writes, and the credential epoch that it compares. */
type NewProof = Pick<SessionContext, 'amr' | 'authTime'> & Pick<AccountOfSession, 'credentialEpoch'>;

/** What a rotation writes: the ids of the presented and the next token, the origin, and the dates of the next token. */
export interface Rotation {
  readonly origin: string | null;
  readonly presented: string;
  readonly next: string;
  readonly at: Date;
  readonly expiresAt: Date;
}

/** A proof by the key of a session, as the row stores it. */
export interface StampedProof {
  readonly thumbprint: string;
  readonly stamp: string;
  /** Lower stamps in the row have expired, and are dropped. */
  readonly lowest: string;
}

/** A live session in a list. Instants are milliseconds since the epoch. */
export interface ListedSession extends ClientDevice {
  readonly id: string;
  readonly created: number;
  /** When it was last rotated, without a rotation that must not be shown yet. */
  readonly used: number;
  readonly expires: number;
  /** Whether there is a rotation that must not be shown yet. */
  readonly isHiding: boolean;
}

/**
 * Runs the statements on the session table. Each has an equality condition on the user (and on the session, if it
 * concerns one), so that the table can be partitioned by user.
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

  /** Reads an active user, to open a session. */
  async findOwner(user: UserId, em: EntityManager): Promise<SessionOwner | undefined> {
    const [row] = await this.database.query(this.#sql.owner, [user], em);
    if (!row) return undefined;
    const { session, user: ofUser } = split(row);
    return {
      user: this.users.fromRow(em, ofUser),
      credentialEpoch: Number(session['credentialEpoch']),
      secondFactors: session['secondFactors'] as string[],
    };
  }

  /**
   * Inserts a session if the user is still active, still has the credential epoch that the sign-in has read, and still
   * has the password hash that was checked (an undefined hash is not compared). It locks user and account, so that of
   * this and a parallel password change or deactivation, one waits for the other. The lock on the user is FOR NO KEY
   * UPDATE. A share lock would be enough, but if users are a reference table of Citus, only one of several parallel
   * sign-ins with a share lock succeeds.
   *
   * Changes the account state `invited` to `in_use`, so that the user is not deleted when the invitation expires.
   *
   * @returns the user's current password hash. Undefined: the user or the credentials have changed, nothing was
   * inserted
   */
  async insert(
    session: NewSession,
    user: Pick<PasswordOwner, 'id' | 'passwordHash'> & { readonly credentialEpoch: number },
    em: EntityManager,
  ): Promise<{ readonly passwordHash: string | null } | undefined> {
    const { id, jti, openedAt, expiresAt, ip, browser, os, device, amr, authTime, claims, keyThumbprint } = session;
    const proof = [user.id, user.passwordHash ?? null, user.passwordHash === undefined];
    const bound = Object.keys(claims).length > 0 ? JSON.stringify(claims) : null;
    const context = [amr, new Date(authTime * 1000), bound];
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
      ...context,
      user.credentialEpoch,
      keyThumbprint ?? null,
    ];
    return (await this.database.query<{ passwordHash: string | null }>(this.#sql.insert, parameters, em))[0];
  }

  /**
   * Replaces the live token `live` by `next` and makes `presented` its parent, if `live` is still the live token of a
   * live session of an active user. `live` and `presented` differ only if the database has lost a rotation.
   *
   * With a proof, an unbound session is bound to its key. Nothing is rotated if the session is bound to another key,
   * has used the proof before, or is bound and there is no proof.
   *
   * @param context the context for which the new tokens were made. Nothing is rotated if it has changed meanwhile
   * @returns claims and context for the new tokens (only without `context`, and if `users.hasPlainClaims`). Undefined:
   * nothing was rotated
   */
  async rotate(
    session: { id: string; user: UserId; live: string; proof?: StampedProof } & Rotation & ClientDevice,
    em: EntityManager,
    context?: SessionContext,
  ): Promise<(PlainClaims & SessionContext) | undefined> {
    const { id, user, live, next, ip, browser, os, device, presented, origin, proof } = session;
    const dates = [session.at, session.expiresAt].map((date) => date.toISOString()); // pg formats a Date more slowly
    const values: unknown[] = [id, user, live, next, ...dates, ip, browser, os, device, presented, origin];
    if (proof) values.push(proof.thumbprint, proof.stamp, proof.lowest);
    if (context) values.push(context.amr, context.authTime);
    const statement = `rotate${context ? 'Same' : ''}${proof ? 'Bound' : ''}` as const;
    const [row] = await this.database.query<PlainClaims & StoredContext>(this.#sql[statement], values, em);
    return row && { ...row, claims: row.claims ?? {} };
  }

  /**
   * Stores that the parent of the live token was presented again from a different origin.
   *
   * @returns false if `live` is not the live token any more
   */
  async markFollowed({ id, user, live }: { id: string; user: UserId; live: string }): Promise<boolean> {
    return (await this.database.query(this.#sql.markFollowed, [id, user, live])).length > 0;
  }

  /**
   * Stores that a bound session has used a proof without a rotation.
   *
   * @returns false if it has used the proof before, or `live` is not the live token any more
   */
  async useProof(session: { id: string; user: UserId; live: string }, proof: StampedProof): Promise<boolean> {
    const { id, user, live } = session;
    const values = [id, user, live, proof.thumbprint, proof.stamp, proof.lowest];
    return (await this.database.query(this.#sql.useProof, values)).length > 0;
  }

  /** Reads a session and its user. */
  async find(id: string, user: UserId, em: EntityManager): Promise<FoundSession | undefined> {
    const [row] = await this.database.query(this.#sql.find, [id, user], em);
    if (!row) return undefined;
    const { session, user: ofUser } = split(row);
    session['claims'] ??= {};
    session['proofs'] = session['proofs'] ? String(session['proofs']).split(',') : []; // pg parses arrays more slowly
    return { session: session as unknown as SessionRow, user: this.users.fromRow(em, ofUser) };
  }

  /**
   * The context of a live session. Undefined if it is not live. With `em`, the row stays locked until the end of the
   * transaction, so that the session cannot be ended meanwhile.
   */
  async findLive(id: string, user: UserId, at: Date, em?: EntityManager): Promise<SessionContext | undefined> {
    const sql = em ? `${this.#sql.live} for update` : this.#sql.live;
    const [row] = await this.database.query<StoredContext>(sql, [id, user, at], em);
    return row && { ...row, claims: row.claims ?? {} };
  }

  /**
   * A live session of an active user, with the state of the account. Undefined if there is no such session. With `em`,
   * the session's row stays locked until the end of the transaction.
   */
  async findAccount(id: string, user: UserId, at: Date, em?: EntityManager): Promise<AccountOfSession | undefined> {
    const sql = em ? `${this.#sql.account} for update of s` : this.#sql.account;
    const [row] = await this.database.query<AccountOfSession & StoredContext>(sql, [id, user, at], em);
    return row && { ...row, claims: row.claims ?? {} };
  }

  /**
   * Adds methods to the `amr` of a session and sets a later `authTime`, if it is a live session of an active user who
   * still has this credential epoch. No index has these columns (HOT update).
   *
   * @returns the new context. Undefined: nothing was changed
   */
  async prove(
    { id, user, at, amr, authTime, credentialEpoch }: { id: string; user: UserId; at: Date } & NewProof,
    em: EntityManager,
  ): Promise<SessionContext | undefined> {
    const parameters = [id, user, at, [...new Set(amr)], new Date(authTime * 1000), credentialEpoch];
    const [row] = await this.database.query<StoredContext>(this.#sql.prove, parameters, em);
    return row && { ...row, claims: row.claims ?? {} };
  }

  /** The current password hash of a user. */
  async passwordHashOf(user: UserId): Promise<string | null> {
    const [row] = await this.database.query<{ hash: string | null }>(this.#sql.passwordHash, [user]);
    return row?.hash ?? null;
  }

  /**
   * The live sessions of a user, most recently used first, at most 200.
   *
   * @param hiddenSince rotations since this instant must not be shown yet
   */
  async list(user: UserId, at: Date, hiddenSince: Date): Promise<ListedSession[]> {
    return this.database.query<ListedSession>(this.#sql.list, [user, at, hiddenSince]);
  }
}

/** The values of a session, without the prefix of their names, and those of its user: MikroORM would keep them all. */
function split(row: Readonly<Record<string, unknown>>): Record<'session' | 'user', Record<string, unknown>> {
  const session: Record<string, unknown> = {};
  const user: Record<string, unknown> = {};
  for (const name in row) {
    if (name.startsWith(SESSION_PREFIX)) session[name.slice(SESSION_PREFIX.length)] = row[name];
    else user[name] = row[name];
  }
  return { session, user };
}
