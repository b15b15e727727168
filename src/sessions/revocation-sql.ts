import type { Table } from '../database/table.js';
import { channelNameOf } from './revocation-channel.js';

/**
 * The parts of a statement that inform all servers about ended sessions: a row for each session, which servers read
 * after a connect, and a notification, which PostgreSQL sends at the commit.
 *
 * @param origin id of the process that emits the events of these sessions itself. Undefined if none does
 */
export function revocationSql(revocation: Table, origin?: string) {
  const columns = [revocation.column('revokedAt'), revocation.column('session')].join(', ');
  return {
    /** Inserts a row for each value of the column `session` of a common table expression. */
    insert: (at: string, from: string, condition = 'true') =>
      `insert into ${revocation.name} (${columns}) select ${at}::timestamptz, session from ${from} where ${condition}`,
    /** A value for a SELECT list: sends the notification for a row with a column `session`. */
    notify: `pg_notify('${channelNameOf(revocation)}', session::text${origin ? ` || ' ${origin}'` : ''})`,
  };
}
