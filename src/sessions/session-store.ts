import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { ONE_TIME_KEY_ENTITY } from '../tokens/one-time-key.entity.js';
import type { BaseUser, UserId } from '../users/base-user.entity.js';
import type { PasswordOwner, UserService } from '../users/user.service.js';
import type { ClientDevice } from './client-device.js';
import { SESSION_ENTITY } from './session.entity.js';

/** A session as its row has it. Instants are milliseconds since the epoch. */
export interface SessionRow {
  readonly jti: string;
  readonly previousJti: string | null;
  readonly rotatedAt: number;
  readonly expiresAt: number;
  readonly enabled: boolean;
  readonly isUserActive: boolean;
}

/** What a rotation writes: ids of tokens, and dates of the next one. */
export interface Rotation {
  readonly presented: string;
  readonly next: string;
  readonly at: Date;
  readonly expiresAt: Date;
}

/** A live session as its owner sees it. */
export interface SessionInfo extends ClientDevice {
  readonly id: string;
  readonly createdAt: Date;
  /** When it was last refreshed; at first, when it was opened. */
  readonly lastUsedAt: Date;
  /** When it ends if it is not used. */
  readonly expiresAt: Date;
}

/** Sessions that are listed at most: whoever signs in all day must not make an answer that fills the memory. */
const LISTED = 200;

/** Names of the result columns that are the session's; no column of a user begins like this. */
const PREFIX = 'session:';

/**
 * The statements on the whitelist. Each names the user as an equality, and the session where it is about one, so that the
 * table can be partitioned by user.
 */
export class SessionStore {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    private readonly database: Database,
    private readonly users: UserService,
    orm: MikroORM,
  ) {
    this.#sql = statements(Table.named(orm, SESSION_ENTITY), users.table, Table.named(orm, ONE_TIME_KEY_ENTITY));
  }

  /** An active user, just read, for whom a session may be opened. */
  async findOwner(user: UserId, em: EntityManager): Promise<BaseUser | undefined> {
    const [row] = await this.database.query(this.#sql.owner, [user], em);
    return row && this.users.fromRow(em, row);
  }

  /**
   * Inserts a session, provided that the user is still active and still has the password hash that let the login in (if it
   * was one: undefined is not compared). The share lock makes a password change or a deactivation wait for this one to commit, or this one for theirs.
   *
   * An invitation that was not accepted yet is marked: its user came in, and is never deleted when it expires.
   *
   * @returns the password hash that the user has, or undefined when the login came too late
   */
  async insert(
    session: { id: string; jti: string; openedAt: Date; expiresAt: Date } & ClientDevice,
    user: Pick<PasswordOwner, 'id' | 'passwordHash'>,
    em: EntityManager,
  ): Promise<{ readonly passwordHash: string | null } | undefined> {
    const { id, jti, openedAt, expiresAt, ip, browser, os, device } = session;
    const proof = [user.id, user.passwordHash ?? null, user.passwordHash === undefined];
    const parameters = [...proof, id, jti, openedAt, expiresAt, ip, browser, os, device];
    return (await this.database.query<{ passwordHash: string | null }>(this.#sql.insert, parameters, em))[0];
  }

  /**
   * Puts `next` in the place of `live` and makes `presented` its parent, provided that `live` is still the live token of a
   * live session of an active user. The two differ only where the database has lost a rotation.
   *
   * @returns false when there was nothing to rotate
   */
  async rotate(
    session: { id: string; user: UserId; live: string } & Rotation & ClientDevice,
    em: EntityManager,
  ): Promise<boolean> {
    const { id, user, live, next, at, expiresAt, ip, browser, os, device, presented } = session;
    const parameters = [id, user, live, next, at, expiresAt, ip, browser, os, device, presented];
    return (await this.database.query(this.#sql.rotate, parameters, em)).length > 0;
  }

  /** The session as it is now, with its user. */
  async find(
    id: string,
    user: UserId,
    em: EntityManager,
  ): Promise<{ session: SessionRow; user: BaseUser } | undefined> {
    const [row] = await this.database.query(this.#sql.find, [id, user], em);
    if (!row) return undefined;
    const session = Object.entries(row).filter(([column]) => column.startsWith(PREFIX));
    const columns = Object.fromEntries(session.map(([column, value]) => [column.slice(PREFIX.length), value]));
    return { session: columns as unknown as SessionRow, user: this.users.fromRow(em, row) };
  }

  /** Whether the session can still be rotated. Within the transaction of `em`, nobody can end it until that is over. */
  async isLive(id: string, user: UserId, at: Date, em?: EntityManager): Promise<boolean> {
    const sql = em ? `${this.#sql.live} for update` : this.#sql.live;
    return (await this.database.query(sql, [id, user, at], em)).length > 0;
  }

  /** The password hash that a user has now. */
  async passwordHashOf(user: UserId): Promise<string | null> {
    const [row] = await this.database.query<{ hash: string | null }>(this.#sql.passwordHash, [user]);
    return row?.hash ?? null;
  }

  /** The live sessions of a user, the one used last first, at most 200. */
  async list(user: UserId, at: Date): Promise<SessionInfo[]> {
    const rows = await this.database.query<
      ClientDevice & { id: string; created: number; used: number; expires: number }
    >(this.#sql.list, [user, at]);
    return rows.map(({ id, created, used, expires, ...device }) => ({
      id,
      createdAt: new Date(created),
      lastUsedAt: new Date(used),
      expiresAt: new Date(expires),
      ...device,
    }));
  }
}

/** The columns of the whitelist, quoted. */
export function sessionColumns(session: Table) {
  return {
    id: session.column('id'),
    user: session.column('user'),
    jti: session.column('jti'),
    previousJti: session.column('previousJti'),
    rotatedAt: session.column('rotatedAt'),
    enabled: session.column('enabled'),
    createdAt: session.column('createdAt'),
    expiresAt: session.column('expiresAt'),
    ip: session.column('ip'),
    browser: session.column('browser'),
    os: session.column('os'),
    device: session.column('device'),
  };
}

function statements(session: Table, user: Table, key: Table) {
  const s = sessionColumns(session);
  const u = { id: user.column('id'), passwordHash: user.column('passwordHash'), isActive: user.column('isActive') };
  const milliseconds = (column: string) => `(extract(epoch from s.${column}) * 1000)::float8`;
  return {
    owner: `select ${user.columns('u')} from ${user.name} u where u.${u.id} = $1 and u.${u.isActive}`,
    insert: `
      with owner as (
        select u.${u.id}, u.${u.passwordHash} from ${user.name} u
        where u.${u.id} = $1 and ($3::boolean or u.${u.passwordHash} is not distinct from $2) and u.${u.isActive}
        for share
      ), opened as (
        insert into ${session.name} (${s.id}, ${s.user}, ${s.jti}, ${s.rotatedAt}, ${s.enabled}, ${s.createdAt}, ${s.expiresAt},
          ${s.ip}, ${s.browser}, ${s.os}, ${s.device})
        select $4::uuid, owner.${u.id}, $5::uuid, $6::timestamptz, true, $6::timestamptz, $7::timestamptz, $8, $9, $10, $11 from owner
      ), used as (
        update ${key.name} k set ${key.column('purpose')} = 'invitation-used' from owner
        where k.${key.column('user')} = owner.${u.id} and k.${key.column('purpose')} = 'invitation'
      )
      select ${u.passwordHash} as "passwordHash" from owner`,
    rotate: `
      update ${session.name} s
      set ${s.jti} = $4, ${s.previousJti} = $11, ${s.rotatedAt} = $5, ${s.expiresAt} = $6,
        ${s.ip} = $7, ${s.browser} = $8, ${s.os} = $9, ${s.device} = $10
      from ${user.name} u
      where s.${s.id} = $1 and s.${s.user} = $2 and s.${s.jti} = $3 and s.${s.enabled} and s.${s.expiresAt} > $5
        and u.${u.id} = $2 and u.${u.isActive}
      returning 1`,
    find: `
      select s.${s.jti} as "${PREFIX}jti", s.${s.previousJti} as "${PREFIX}previousJti",
        ${milliseconds(s.rotatedAt)} as "${PREFIX}rotatedAt", ${milliseconds(s.expiresAt)} as "${PREFIX}expiresAt",
        s.${s.enabled} as "${PREFIX}enabled", u.${u.isActive} as "${PREFIX}isUserActive", ${user.columns('u')}
      from ${session.name} s join ${user.name} u on u.${u.id} = s.${s.user}
      where s.${s.id} = $1 and s.${s.user} = $2`,
    live: `
      select 1 from ${session.name} s
      where s.${s.id} = $1 and s.${s.user} = $2 and s.${s.enabled} and s.${s.expiresAt} > $3`,
    passwordHash: `select u.${u.passwordHash} as hash from ${user.name} u where u.${u.id} = $1`,
    list: `
      select s.${s.id} as "id", ${milliseconds(s.createdAt)} as "created", ${milliseconds(s.rotatedAt)} as "used",
        ${milliseconds(s.expiresAt)} as "expires",
        s.${s.ip} as "ip", s.${s.browser} as "browser", s.${s.os} as "os", s.${s.device} as "device"
      from ${session.name} s
      where s.${s.user} = $1 and s.${s.enabled} and s.${s.expiresAt} > $2
      order by s.${s.rotatedAt} desc, s.${s.createdAt} desc, s.${s.id} limit ${LISTED}`,
  };
}
