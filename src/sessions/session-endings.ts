import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import type { Clock } from '../clock.js';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import type { Settings } from '../settings/settings.js';
import { ONE_TIME_KEY_ENTITY } from '../tokens/one-time-key.entity.js';
import type { UserId } from '../users/base-user.entity.js';
import type { UserService } from '../users/user.service.js';
import { maxAccessTokenAgeMs } from './max-access-token-age.js';
import type { RemoteRevocations } from './remote-revocations.js';
import { REVOCATION_ENTITY } from './revocation.entity.js';
import { revocationSql } from './revocation-sql.js';
import { SESSION_ENTITY } from './session.entity.js';
import { sessionColumns } from './session-statements.js';

/** An ended session. */
export interface EndedSession {
  readonly session: string;
  /** Key of its user, as a string. */
  readonly user: string;
}

/**
 * The statements that end sessions. Each informs all servers at its commit: by a notification, and by a row, which
 * servers read several times a second. Sessions whose access tokens have all expired are left as they are.
 */
export class SessionEndings {
  readonly #sql: ReturnType<typeof statements>;

  constructor(
    protected readonly kernel: {
      readonly database: Database;
      readonly orm: MikroORM;
      readonly users: UserService;
      readonly settings: Settings;
      readonly clock: Clock;
      readonly remoteRevocations: RemoteRevocations;
    },
  ) {
    const { orm, users, remoteRevocations } = kernel;
    const tables = [SESSION_ENTITY, REVOCATION_ENTITY, ONE_TIME_KEY_ENTITY] as const;
    const [session, revocation, key] = tables.map((name) => Table.named(orm, name)) as [Table, Table, Table];
    const { insert, notify } = revocationSql(revocation, remoteRevocations.origin);
    this.#sql = statements({ session, key, user: users.table }, insert, notify);
  }

  /** Ends one session. The result is empty if it had ended before, or is not a session of this user. */
  async endOne(id: string, user: UserId, em?: EntityManager): Promise<EndedSession[]> {
    return this.#end(this.#sql.one, [user, id], em);
  }

  /** Ends all sessions of a user, and cancels a pending change of the address. Call `lockUser` first. */
  async endAll(user: UserId, em: EntityManager): Promise<EndedSession[]> {
    return this.#end(this.#sql.all, [user], em);
  }

  /** Ends all sessions of a user except one, and cancels a pending change of the address. Call `lockUser` first. */
  async endOthers(id: string, user: UserId, em: EntityManager): Promise<EndedSession[]> {
    return this.#end(this.#sql.others, [user, id], em);
  }

  /** Ends all sessions of a user except one and the `others` most recently used ones. Call `lockUser` first. */
  async endExcess(id: string, user: UserId, others: number, em: EntityManager): Promise<EndedSession[]> {
    return this.#end(this.#sql.excess, [user, id, others], em);
  }

  /**
   * Locks the user's row until the end of the transaction of `em`. So a parallel sign-in has either committed, and its
   * session can be ended, or has not compared the credentials yet.
   *
   * @throws TypeError if the app's transaction is not READ COMMITTED, and would not see sessions that were just
   * committed
   */
  async lockUser(user: UserId, em: EntityManager): Promise<void> {
    const [row] = await this.kernel.database.query<{ isolation: string }>(this.#sql.lockUser, [user], em);
    if (row && row.isolation !== 'read committed') {
      throw new TypeError(`ending sessions needs a read committed transaction; this one is ${row.isolation}`);
    }
  }

  async #end(sql: string, which: readonly unknown[], em?: EntityManager): Promise<EndedSession[]> {
    const now = this.kernel.clock.now();
    const goodSince = new Date(now - maxAccessTokenAgeMs(this.kernel.settings));
    return this.kernel.database.query<EndedSession>(sql, [new Date(now), goodSince, ...which], em);
  }
}

/** `$1` is the current time. Sessions that expired before `$2` have no valid access token any more. */
function statements(
  { session, key, user }: { readonly session: Table; readonly key: Table; readonly user: Table },
  insert: ReturnType<typeof revocationSql>['insert'],
  notify: string,
) {
  const s = sessionColumns(session);
  // One of the ended sessions may have requested the change of the address.
  const cancelled = `, cancelled as (
      delete from ${key.name} where ${key.column('user')} = $3 and ${key.column('purpose')} = 'email-change'
    )`;
  const ending = (which: string, more = '') => `
    with ended as (
      update ${session.name} s set ${s.enabled} = false
      where s.${s.user} = $3 and ${which} and s.${s.enabled} and s.${s.expiresAt} > $2
      returning s.${s.id} as session, s.${s.user} as owner
    ), recorded as (
      ${insert('$1', 'ended')}
    )${more}
    select session::text as "session", owner::text as "user", ${notify}
    from ended`;
  return {
    one: ending(`s.${s.id} = $4`),
    all: ending('true', cancelled),
    others: ending(`s.${s.id} <> $4`, cancelled),
    excess: ending(`s.${s.id} in (
        select ${s.id} from ${session.name}
        where ${s.user} = $3 and ${s.id} <> $4 and ${s.enabled} and ${s.expiresAt} > $1
        order by ${s.rotatedAt} desc, ${s.createdAt} desc, ${s.id} offset $5
      )`),
    lockUser: `
      select current_setting('transaction_isolation') as "isolation" from ${user.name}
      where ${user.column('id')} = $1 for no key update`,
  };
}
