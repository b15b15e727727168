import { readFileSync } from 'node:fs';

/** The migration to hash partitions, exactly as docs/scaling.md shows it. */
export function partitionMigration(): string {
  return blockWith('scaling', 'partition by hash');
}

/** The migration to a placement on several nodes, exactly as docs/distributed.md shows it. */
export function placementMigration(placement: 'a' | 'b'): string {
  return blockWith(
    'distributed',
    placement === 'a' ? 'create_reference_table(users)' : 'create_distributed_table(users,',
  );
}

/** The block of SQL on a page that contains a text. */
function blockWith(page: string, text: string): string {
  const blocks = readFileSync(`docs/${page}.md`, 'utf8').matchAll(/```sql\n([^`]*)```/g);
  const sql = [...blocks].map(([, block = '']) => block).find((block) => block.includes(text));
  if (!sql) throw new Error(`docs/${page}.md has no SQL with ${text}`);
  return sql;
}
