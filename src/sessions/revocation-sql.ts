import type { Table } from '../database/table.js';
import { channelNameOf } from './revocation-channel.js';

/**
 * The parts of a statement that inform all servers about ended sessions: a row for each session, which servers read
 * several times a second, and a notification, which PostgreSQL sends at the commit.
 *
 * The row has the later of two times: that of the app, and that of the database when it writes the row. The latter does
 * not depend on how long the statement waited, so that servers can read what is new (`RevocationReader`).
 *
 * @param origin id of the process that emits the events of these sessions itself. Undefined if none does
 */
export function revocationSql(revocation: Table, origin?: string) {
  const columns = [revocation.column('revokedAt'), revocation.column('session')].join(', ');
  return {
    /** Inserts a row for each value of the column `session` of a common table expression. */
    insert: (at: string, from: string, condition = 'true') =>
      `insert into ${revocation.name} (${columns})
        select greatest(${at}::timestamptz, clock_timestamp()), session from ${from} where ${condition}`,
    /** A value for a SELECT list: sends the notification for a row with a column `session`. */
    notify: `pg_notify('${channelNameOf(revocation)}', session::text${origin ? ` || ' ${origin}'` : ''})`,
  };
}
