import type { Table } from '../database/table.js';
import { MAX_SKEW_SECONDS } from '../tokens/auth-age.js';

/** Maximum number of listed sessions. A client that signs in all day must not produce a huge response. */
const MAX_LISTED = 200;

/** Maximum number of proofs that a session remembers. With so many, a proof must be newer than the oldest of them. */
export const MAX_PROOFS = 32;

/** Prefix of the result columns that belong to the session, to distinguish them from those of the user. */
export const SESSION_PREFIX = 'session:';

/** The quoted columns of the session table. */
export function sessionColumns(session: Table) {
  return {
    id: session.column('id'),
    user: session.column('user'),
    jti: session.column('jti'),
    previousJti: session.column('previousJti'),
    rotatedAt: session.column('rotatedAt'),
    previousRotatedAt: session.column('previousRotatedAt'),
    rotatedFrom: session.column('rotatedFrom'),
    isFollowed: session.column('isFollowed'),
    followedGenerations: session.column('followedGenerations'),
    enabled: session.column('enabled'),
    createdAt: session.column('createdAt'),
    expiresAt: session.column('expiresAt'),
    ip: session.column('ip'),
    browser: session.column('browser'),
    os: session.column('os'),
    device: session.column('device'),
    amr: session.column('amr'),
    authTime: session.column('authTime'),
    claims: session.column('claims'),
    keyThumbprint: session.column('keyThumbprint'),
    proofs: session.column('proofs'),
  };
}

/** The statements on the session table, with `$1`-style parameters. */
export function sessionStatements(session: Table, user: Table, account: Table, hasPlainClaims: boolean) {
  const s = sessionColumns(session);
  const u = {
    id: user.column('id'),
    passwordHash: user.column('passwordHash'),
    isActive: user.column('isActive'),
    email: user.column('email'),
  };
  const a = {
    user: account.column('user'),
    state: account.column('state'),
    epoch: account.column('credentialEpoch'),
    factors: account.column('secondFactors'),
  };
  const provedAt = `coalesce(s.${s.authTime}, s.${s.createdAt})`;
  // `date_part` returns a float8; `extract` would return a numeric, which is slower. Citus accepts only immutable
  // functions in RETURNING, and `date_part` is immutable for a time without a time zone.
  const authTime = `floor(date_part('epoch', ${provedAt} at time zone 'UTC'))`;
  const context = (prefix = '') => `
        s.${s.amr} as "${prefix}amr", s.${s.claims} as "${prefix}claims", ${authTime} as "${prefix}authTime"`;
  const claims = hasPlainClaims
    ? [...['role', 'emailVerified'].map((name) => `u.${user.column(name)} as "${name}"`), context()]
    : ['1'];
  // The condition and the change for a proof. Its parameters: thumbprint of the key, stamp, lowest stamp to keep.
  const proofAt = (first: number) => {
    const [key, stamp, lowest] = [first, first + 1, first + 2].map((place) => `$${place}`);
    const known = `coalesce(s.${s.proofs}, '{}')`;
    const isAllowed = `and coalesce(s.${s.keyThumbprint}, ${key}) = ${key} and ${stamp}::bigint <> all (${known})
        and ${stamp}::bigint > coalesce((${known})[${MAX_PROOFS}], 0)`;
    const kept = `select p from unnest(${known} || ${stamp}::bigint) p where p >= ${lowest}::bigint`;
    const change = `${s.keyThumbprint} = ${key}, ${s.proofs} = array(${kept} order by p desc limit ${MAX_PROOFS})`;
    return { isAllowed, change };
  };
  const proof = proofAt(13);
  const isUnbound = `and s.${s.keyThumbprint} is null`;
  const isSameContext = (first: number) => `and s.${s.amr} = $${first}::text[] and ${authTime} = $${first + 1}::float8`;
  const rotate = (condition: string, returned: string, changed = '') => `
      update ${session.name} s
      set ${s.jti} = $4, ${s.previousJti} = $11, ${s.rotatedAt} = $5, ${s.expiresAt} = $6,
        ${s.ip} = $7, ${s.browser} = $8, ${s.os} = $9, ${s.device} = $10, ${s.rotatedFrom} = $12,
        ${s.followedGenerations} = case when s.${s.isFollowed} then s.${s.followedGenerations} + 1 else 0 end,
        ${s.isFollowed} = false, ${s.previousRotatedAt} = s.${s.rotatedAt} ${changed}
      from ${user.name} u
      where s.${s.id} = $1 and s.${s.user} = $2 and s.${s.jti} = $3 and s.${s.enabled} and s.${s.expiresAt} > $5
        and s.${s.rotatedAt} <= $5 and u.${u.id} = $2 and u.${u.isActive} ${condition}
      returning ${returned}`;
  const previous = `coalesce(s.${s.previousRotatedAt}, s.${s.rotatedAt})`;
  const shown = `case when s.${s.rotatedAt} >= $3 then ${previous} else s.${s.rotatedAt} end`;
  const milliseconds = (column: string) => `(extract(epoch from s.${column}) * 1000)::float8`;
  return {
    owner: `
      select ${user.columns('u')}, coalesce(a.${a.epoch}, 0) as "${SESSION_PREFIX}credentialEpoch",
        coalesce(a.${a.factors}, '{}') as "${SESSION_PREFIX}secondFactors"
      from ${user.name} u left join ${account.name} a on a.${a.user} = u.${u.id}
      where u.${u.id} = $1 and u.${u.isActive}`,
    insert: `
      with owner as (
        select u.${u.id}, u.${u.passwordHash} from ${user.name} u
        where u.${u.id} = $1 and ($3::boolean or u.${u.passwordHash} is not distinct from $2) and u.${u.isActive}
        for no key update
      ), accepted as (
        update ${account.name} a set ${a.state} = 'in_use' from owner
        where a.${a.user} = $1 and a.${a.user} = owner.${u.id} and a.${a.state} = 'invited'
        returning a.${a.epoch} as epoch
      ), known as (
        select a.${a.epoch} as epoch from ${account.name} a
        where a.${a.user} = $1 and exists (select 1 from owner) and not exists (select 1 from accepted)
        for share
      ), made as (
        insert into ${account.name} as a (${a.user}, ${a.state}, ${a.epoch})
        select owner.${u.id}, 'in_use', 0 from owner
        where not exists (select 1 from ${account.name} where ${a.user} = $1)
        on conflict (${a.user}) do update set ${a.state} = 'in_use'
        returning a.${a.epoch} as epoch
      ), account as (
        select epoch from accepted union all select epoch from known union all select epoch from made
      ), opened as (
        insert into ${session.name} (${s.id}, ${s.user}, ${s.jti}, ${s.rotatedAt}, ${s.enabled}, ${s.createdAt},
          ${s.expiresAt}, ${s.ip}, ${s.browser}, ${s.os}, ${s.device}, ${s.amr}, ${s.authTime}, ${s.claims},
          ${s.keyThumbprint})
        select $4::uuid, owner.${u.id}, $5::uuid, $6::timestamptz, true, $6::timestamptz, $7::timestamptz, $8, $9, $10,
          $11, $12::text[], $13::timestamptz, $14::jsonb, $16 from owner, account where account.epoch = $15::int
        returning 1
      )
      select ${u.passwordHash} as "passwordHash" from owner where exists (select 1 from opened)`,
    rotate: rotate(isUnbound, claims.join(', ')),
    rotateSame: rotate(`${isUnbound} ${isSameContext(13)}`, '1'),
    rotateBound: rotate(proof.isAllowed, claims.join(', '), `, ${proof.change}`),
    rotateSameBound: rotate(`${proof.isAllowed} ${isSameContext(16)}`, '1', `, ${proof.change}`),
    useProof: `
      update ${session.name} s set ${proofAt(4).change}
      where s.${s.id} = $1 and s.${s.user} = $2 and s.${s.jti} = $3 and s.${s.enabled} ${proofAt(4).isAllowed}
      returning 1`,
    markFollowed: `
      update ${session.name} s set ${s.isFollowed} = true
      where s.${s.id} = $1 and s.${s.user} = $2 and s.${s.jti} = $3 and s.${s.enabled}
      returning 1`,
    find: `
      select s.${s.jti} as "${SESSION_PREFIX}jti", s.${s.previousJti} as "${SESSION_PREFIX}previousJti",
        s.${s.rotatedFrom}::text as "${SESSION_PREFIX}rotatedFrom", s.${s.isFollowed} as "${SESSION_PREFIX}isFollowed",
        s.${s.followedGenerations} as "${SESSION_PREFIX}followedGenerations",
        ${milliseconds(s.rotatedAt)} as "${SESSION_PREFIX}rotatedAt",
        ${milliseconds(s.expiresAt)} as "${SESSION_PREFIX}expiresAt",
        s.${s.keyThumbprint} as "${SESSION_PREFIX}keyThumbprint",
        array_to_string(s.${s.proofs}, ',') as "${SESSION_PREFIX}proofs",
        s.${s.enabled} as "${SESSION_PREFIX}enabled", u.${u.isActive} as "${SESSION_PREFIX}isUserActive",
        ${context(SESSION_PREFIX)},
        ${user.columns('u')}
      from ${session.name} s join ${user.name} u on u.${u.id} = s.${s.user}
      where s.${s.id} = $1 and s.${s.user} = $2`,
    live: `
      select ${context()} from ${session.name} s
      where s.${s.id} = $1 and s.${s.user} = $2 and s.${s.enabled} and s.${s.expiresAt} > $3`,
    account: `
      select ${context()}, coalesce(a.${a.epoch}, 0) as "credentialEpoch",
        coalesce(a.${a.factors}, '{}') as "secondFactors", u.${u.passwordHash} is not null as "hasPassword",
        u.${u.email} as "email", s.${s.keyThumbprint} as "keyThumbprint"
      from ${session.name} s join ${user.name} u on u.${u.id} = $2 left join ${account.name} a on a.${a.user} = $2
      where s.${s.id} = $1 and s.${s.user} = $2 and s.${s.enabled} and s.${s.expiresAt} > $3 and u.${u.isActive}`,
    prove: `
      update ${session.name} s
      set ${s.amr} = s.${s.amr} || array(select m from unnest($4::text[]) m where m <> all (s.${s.amr})),
        ${s.authTime} = case
          when ${provedAt} > $5::timestamptz + interval '${MAX_SKEW_SECONDS} s' then $5 else greatest(${provedAt}, $5)
        end
      from ${user.name} u left join ${account.name} a on a.${a.user} = $2
      where s.${s.id} = $1 and s.${s.user} = $2 and s.${s.enabled} and s.${s.expiresAt} > $3
        and u.${u.id} = $2 and u.${u.isActive} and coalesce(a.${a.epoch}, 0) = $6::int
      returning ${context()}`,
    passwordHash: `select u.${u.passwordHash} as hash from ${user.name} u where u.${u.id} = $1`,
    list: `
      select s.${s.id} as "id", ${milliseconds(s.createdAt)} as "created",
        (extract(epoch from ${shown}) * 1000)::float8 as "used", ${milliseconds(s.expiresAt)} as "expires",
        s.${s.rotatedAt} >= $3 as "isHiding",
        s.${s.ip} as "ip", s.${s.browser} as "browser", s.${s.os} as "os", s.${s.device} as "device"
      from ${session.name} s
      where s.${s.user} = $1 and s.${s.enabled} and s.${s.expiresAt} > $2
      order by ${shown} desc, s.${s.createdAt} desc, s.${s.id} limit ${MAX_LISTED}`,
  };
}
