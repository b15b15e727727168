import type { Table } from '../database/table.js';

/**
 * Lets the transaction of a statement commit without waiting for the disk. If PostgreSQL crashes, the counts of the
 * last moments before are lost, and nothing else.
 */
const COMMIT_SOON = `set_config('synchronous_commit', 'off', true)`;

/**
 * The statements on the counters, with `$1`-style parameters. Statements on several rows lock them in the order of
 * their keys, so that parallel attempts cannot deadlock. Those of sign-ins, which are alone in their transaction, do
 * not wait for the disk.
 */
export function counterStatements(counter: Table) {
  const { name } = counter;
  const key = counter.column('key');
  const count = counter.column('count');
  const resetsAt = counter.column('resetsAt');
  return {
    count: `
      insert into ${name} as a (${key}, ${count}, ${resetsAt}) values ($1, 1, $2)
      on conflict (${key}) do update set
        ${count} = case when a.${resetsAt} <= $3 then 1 else least(a.${count}, 1000000) + 1 end,
        ${resetsAt} = case when a.${resetsAt} <= $3 then excluded.${resetsAt} else a.${resetsAt} end
      returning a.${count} as count, extract(epoch from a.${resetsAt} - $3)::float8 as wait`,
    reserve: `
      with marked as (
        select exists (select from ${name} where ${key} = $5 and ${resetsAt} > $6) as yes, ${COMMIT_SOON}
      ), counter as (
        select k, ends, most, needs_mark
        from unnest($1::text[], $2::timestamptz[], $3::int[], $4::bool[]) as given (k, ends, most, needs_mark), marked
        where not needs_mark or marked.yes
      ), reached as (
        select k, a.${resetsAt} as ends from ${name} a join counter on a.${key} = k
        where not needs_mark and a.${resetsAt} > $6 and a.${count} >= most
      ), counted as (
        insert into ${name} as a (${key}, ${count}, ${resetsAt})
        select k, 1, ends from counter where not exists (select from reached) order by k
        on conflict (${key}) do update set
          ${count} = case when a.${resetsAt} <= $6 then 1 else a.${count} + 1 end,
          ${resetsAt} = case
            when a.${resetsAt} <= $6 or a.${count} = 0 then excluded.${resetsAt} else a.${resetsAt}
          end
        returning a.${key} as k, a.${count} as count, a.${resetsAt} as ends
      )
      select k as key, false as "isCounted", true as "isReached", extract(epoch from ends - $6)::float8 as wait,
        (select yes from marked) as "isMarked"
      from reached
      union all
      select counted.k, true, not needs_mark and counted.count > most, extract(epoch from counted.ends - $6)::float8,
        (select yes from marked)
      from counted join counter on counter.k = counted.k`,
    // An upsert locks and changes each row in one step. A row that was purged meanwhile comes back as an expired one.
    release: `
      insert into ${name} as a (${key}, ${count}, ${resetsAt})
      select k, 0, timestamptz 'epoch' from unnest($1::text[]) k, (select ${COMMIT_SOON}) soon order by k
      on conflict (${key}) do update set
        ${count} = case when a.${key} = any($2::text[]) then 0 else greatest(a.${count} - 1, 0) end`,
    // The condition avoids waiting for a row that a parallel sign-in has locked, if the mark is recent enough.
    mark: `
      insert into ${name} as a (${key}, ${count}, ${resetsAt})
      select $1::text, 0, $2::timestamptz
      where not exists (select from ${name} where ${key} = $1 and ${resetsAt} >= $3)
      on conflict (${key}) do update set ${resetsAt} = excluded.${resetsAt}`,
    markOnce: `
      insert into ${name} as a (${key}, ${count}, ${resetsAt}) values ($1, 0, $2)
      on conflict (${key}) do update set ${resetsAt} = excluded.${resetsAt} where a.${resetsAt} <= $3
      returning 1`,
    renewMark: `
      update ${name} set ${resetsAt} = $2 where ${key} = $1 and ${resetsAt} < $3 and ${resetsAt} > $4`,
  };
}
