import { readFileSync } from 'node:fs';

/** The migration to hash partitions, exactly as docs/scaling.md shows it. */
export function partitionMigration(): string {
  const [, sql] = /```sql\n([^`]*partition by hash[^`]*)```/.exec(readFileSync('docs/scaling.md', 'utf8')) ?? [];
  if (!sql) throw new Error('docs/scaling.md has no migration to hash partitions.');
  return sql;
}
