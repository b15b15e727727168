import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Slice } from './load.js';

const PGBENCH_ROWS = 10_000;
const PGBENCH_SCRIPT = `\\set id random(1, ${PGBENCH_ROWS})
update bench_session set previous_jti = jti, jti = gen_random_uuid(), rotated_at = now(), expires_at = now() + interval '14 days' where id = :id returning user_id;
`;

/** The smallest possible rotation, measured with PostgreSQL's own load generator. */
export async function pgbench(database: string, connections: number, seconds: number): Promise<Slice> {
  const script = join(tmpdir(), `jwt-allauth-bench-${process.pid}.sql`);
  await writeFile(script, PGBENCH_SCRIPT);
  const whole = Math.max(1, Math.round(seconds));
  const flags = ['-n', '-M', 'prepared', '-c', `${connections}`, '-j', '2', '-T', `${whole}`, '-f', script];
  const { stdout } = await promisify(execFile)('pgbench', [...flags, database]);
  const rate = Number(/tps = ([\d.]+)/.exec(stdout)?.[1]);
  const latency = Number(/latency average = ([\d.]+)/.exec(stdout)?.[1]);
  return { rate, seconds: whole, latencies: [latency], unexpected: {} };
}

/** The table that `pgbench` updates. */
export const PGBENCH_TABLE = `
  drop table if exists bench_session;
  create table bench_session (id int primary key, user_id int not null, jti uuid not null, previous_jti uuid,
    rotated_at timestamptz not null, expires_at timestamptz not null) with (fillfactor = 75);
  insert into bench_session select n, n, gen_random_uuid(), null, now(), now() from generate_series(1, ${PGBENCH_ROWS}) n`;

/** Whether pgbench is installed (Debian: postgresql-contrib or postgresql-client). */
export async function hasPgbench(): Promise<boolean> {
  return promisify(execFile)('pgbench', ['--version']).then(
    () => true,
    () => false,
  );
}
