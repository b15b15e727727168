import type { Table } from '../../database/table.js';

/** The statements of `PasskeyStore`. */
export type PasskeyStatements = ReturnType<typeof passkeyStatements>;

const milliseconds = (column: string) => `(extract(epoch from ${column}) * 1000)::float8`;

function columnsOf(passkey: Table) {
  return {
    id: passkey.column('id'),
    user: passkey.column('user'),
    credentialId: passkey.column('credentialId'),
    userHandle: passkey.column('userHandle'),
    publicKey: passkey.column('publicKey'),
    counter: passkey.column('counter'),
    transports: passkey.column('transports'),
    aaguid: passkey.column('aaguid'),
    name: passkey.column('name'),
    isBackupEligible: passkey.column('isBackupEligible'),
    isBackedUp: passkey.column('isBackedUp'),
    provedEmail: passkey.column('provedEmail'),
    createdAt: passkey.column('createdAt'),
    rpId: passkey.column('rpId'),
    lastUsedAt: passkey.column('lastUsedAt'),
    disabledAt: passkey.column('disabledAt'),
  };
}

/** The statements of `PasskeyStore`. `$1` is the user in all but `find` and `insert`. */
export function passkeyStatements(passkey: Table) {
  const { name } = passkey;
  const c = columnsOf(passkey);
  const reference = `${c.credentialId} as "credentialId", ${c.userHandle} as "userHandle",
      ${c.transports} as "transports", ${c.disabledAt} is not null as "isDisabled"`;
  const shown = `${c.id} as "id", ${c.name} as "name", ${milliseconds(c.createdAt)} as "createdAt",
      ${milliseconds(c.lastUsedAt)} as "lastUsedAt", ${c.isBackedUp} as "isBackedUp",
      ${c.disabledAt} is not null as "isDisabled"`;
  const one = `${c.user} = $1 and ${c.id} = $2`;
  const hasGrown = `(${c.counter} < $3::bigint or (${c.counter} = 0 and $3::bigint = 0))`;
  const oldestFirst = `order by ${c.createdAt}, ${c.id}`;
  return {
    find: `
      select ${c.id} as "id", ${c.user} as "user", ${c.publicKey} as "publicKey",
        ${c.isBackupEligible} as "isBackupEligible", ${reference}
      from ${name} where ${c.credentialId} = $1`,
    list: `select ${shown} from ${name} where ${c.user} = $1 ${oldestFirst}`,
    references: `select ${reference} from ${name} where ${c.user} = $1 ${oldestFirst}`,
    countUsable: `
      select count(*)::float8 as "count" from ${name} where ${c.user} = $1 and ${c.disabledAt} is null`,
    insert: `
      insert into ${name} (${c.id}, ${c.user}, ${c.credentialId}, ${c.userHandle}, ${c.publicKey}, ${c.counter},
        ${c.transports}, ${c.aaguid}, ${c.name}, ${c.isBackupEligible}, ${c.isBackedUp}, ${c.provedEmail},
        ${c.createdAt}, ${c.rpId})
      values ($1, $2, $3, $4, $5, $6, $7::text[], $8, $9, $10, $11, $12, $13, $14)
      on conflict (${c.credentialId}) do nothing returning ${shown}`,
    rename: `update ${name} set ${c.name} = $3 where ${one} returning ${shown}`,
    use: `
      update ${name} set ${c.counter} = $3::bigint, ${c.isBackedUp} = $4, ${c.lastUsedAt} = $5
      where ${one} and ${c.disabledAt} is null and ${hasGrown} returning 1`,
    disable: `
      update ${name} set ${c.disabledAt} = $4
      where ${one} and ${c.disabledAt} is null and not ${hasGrown} returning 1`,
    remove: `delete from ${name} where ${one} returning ${shown}`,
    removeSince: `
      delete from ${name} where ${c.user} = $1 and ${c.createdAt} >= $2 returning ${c.id} as "id"`,
    removeUnproved: `
      delete from ${name} where ${c.user} = $1 and ${c.provedEmail} is distinct from $2 returning ${c.id} as "id"`,
  };
}
