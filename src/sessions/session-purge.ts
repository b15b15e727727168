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
 * Takes expired sessions out of the whitelist. One that nobody had ended, and access tokens of which may still be good,
 * is revoked in the same statement: without its row it is no session any more.
 */
export function sweepOfSessions(database: Database, orm: MikroORM, settings: Settings): TableSweep {
  const session = Table.named(orm, SESSION_ENTITY);
  const { insert, notify } = revocationSql(Table.named(orm, REVOCATION_ENTITY));
  const [id, enabled, expiresAt] = ['id', 'enabled', 'expiresAt'].map((property) => session.column(property));
  const hasGoodTokens = `d.${expiresAt} > $1::timestamptz - interval '${maxAccessTokenAgeMs(settings)} milliseconds'`;
  return new TableSweep(database, session, {
    since: 'expiresAt',
    followUp: {
      returning: `d.${id} as session, d.${enabled} and ${hasGoodTokens} as "isToRevoke"`,
      expression: `recorded as (${insert('$1', 'deleted', '"isToRevoke"')} returning 1)`,
      result: `(select count(${notify}) from deleted where "isToRevoke")::float8 as revoked`,
    },
  });
}

/** Takes revocations off their list once every access token that they are about has expired. */
export function sweepOfRevocations(database: Database, orm: MikroORM, settings: Settings): TableSweep {
  return new TableSweep(database, Table.named(orm, REVOCATION_ENTITY), {
    since: 'revokedAt',
    secondsKept: maxAccessTokenAgeMs(settings) / 1000,
  });
}
