import type { MikroORM } from '@mikro-orm/postgresql';
import type { Database } from '../database/database.js';
import { entityMetadata, Table } from '../database/table.js';
import { TableSweep } from '../database/table-sweep.js';
import type { Settings } from '../settings/settings.js';
import { believedFor } from './believed-for.js';
import { REVOCATION_ENTITY } from './revocation.entity.js';
import { revocationChannel } from './revocation-channel-name.js';
import { SESSION_ENTITY } from './session.entity.js';

/**
 * Takes expired sessions out of the whitelist. One that nobody had ended, and access tokens of which may still be good, is
 * revoked in the same statement: without its row it is no session any more.
 */
export function sweepOfSessions(database: Database, orm: MikroORM, { accessTokenLifetime }: Settings): TableSweep {
  const session = Table.of(orm, entityMetadata(orm.getMetadata(), SESSION_ENTITY));
  const revocation = Table.of(orm, entityMetadata(orm.getMetadata(), REVOCATION_ENTITY));
  const [id, enabled, expiresAt] = ['id', 'enabled', 'expiresAt'].map((property) => session.column(property));
  const [revokedAt, ended] = ['revokedAt', 'session'].map((property) => revocation.column(property));
  const hasGoodTokens = `d.${expiresAt} > $1::timestamptz - interval '${accessTokenLifetime} seconds'`;
  return new TableSweep(
    database,
    session,
    { since: 'expiresAt' },
    {
      returning: `d.${id} as id, d.${enabled} and ${hasGoodTokens} as "isToRevoke"`,
      expression: `listed as (
        insert into ${revocation.name} (${revokedAt}, ${ended})
        select $1::timestamptz, id from deleted where "isToRevoke"
        on conflict do nothing
        returning ${ended} as session
      )`,
      // The notification of a revocation, as of any other ending; it is sent when the statement commits.
      result: `(select count(pg_notify('${revocationChannel(revocation)}', session::text)) from listed)::float8 as revoked`,
    },
  );
}

/** Takes revocations off their list once every access token that they are about has expired. */
export function sweepOfRevocations(database: Database, orm: MikroORM, settings: Settings): TableSweep {
  const revocation = Table.of(orm, entityMetadata(orm.getMetadata(), REVOCATION_ENTITY));
  return new TableSweep(database, revocation, { since: 'revokedAt', secondsKept: believedFor(settings) / 1000 });
}
