import type { Table } from '../database/table.js';
import { channelNameOf } from './revocation-channel.js';

/**
 * The parts of a statement that tell every server of ended sessions: a row for each, for who is not there to hear it,
 * and a notification, which PostgreSQL sends when the statement's transaction commits.
 *
 * @param origin names the process that emits the events of these sessions itself; undefined where none does
 */
export function revocationSql(revocation: Table, origin?: string) {
  const columns = [revocation.column('revokedAt'), revocation.column('session')].join(', ');
  return {
    /** Inserts the column `session` of a common table expression. */
    insert: (at: string, from: string, condition = 'true') =>
      `insert into ${revocation.name} (${columns}) select ${at}::timestamptz, session from ${from} where ${condition}`,
    /** Notifies of a row with a column `session`, as a value of a SELECT list. */
    notify: `pg_notify('${channelNameOf(revocation)}', session::text${origin ? ` || ' ${origin}'` : ''})`,
  };
}
