import type { MikroORM } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { Table } from '../database/table.js';
import { TableSweep } from '../database/table-sweep.js';
import type { Settings } from '../settings/settings.js';
import { maxAccessTokenAgeMs } from './max-access-token-age.js';
import { REVOCATION_ENTITY } from './revocation.entity.js';
import { revocationSql } from './revocation-sql.js';
import { SESSION_ENTITY } from './session.entity.js';

/**
 * Deletes expired sessions. If a session was not ended before and may still have valid access tokens, the same
 * statement revokes it, because a session without a row is not live.
 */
export function sweepOfSessions(database: Database, orm: MikroORM, settings: Settings): TableSweep {
  const session = Table.named(orm, SESSION_ENTITY);
  const { insert, notify } = revocationSql(Table.named(orm, REVOCATION_ENTITY));
  const [id, enabled, expiresAt] = ['id', 'enabled', 'expiresAt'].map((property) => session.column(property));
  const tokensExpireAt = `"expiresAt" + interval '${maxAccessTokenAgeMs(settings)} milliseconds'`;
  const isToRevoke = `enabled and ${tokensExpireAt} > $1::timestamptz`; // not in RETURNING: Citus allows no sum there
  return new TableSweep(database, session, {
    since: 'expiresAt',
    followUp: {
      returning: `d.${id} as session, d.${enabled} as enabled, d.${expiresAt} as "expiresAt"`,
      expression: `recorded as (${insert('$1', 'deleted', isToRevoke)} returning 1)`,
      result: `(select count(${notify}) from deleted where ${isToRevoke})::float8 as revoked`,
    },
  });
}

/** Deletes revocations when all access tokens of their sessions have expired. */
export function sweepOfRevocations(database: Database, orm: MikroORM, settings: Settings): TableSweep {
  return new TableSweep(database, Table.named(orm, REVOCATION_ENTITY), {
    since: 'revokedAt',
    secondsKept: maxAccessTokenAgeMs(settings) / 1000,
  });
}
