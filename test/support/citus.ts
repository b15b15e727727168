import pg from 'pg';

/**
 * TEST_PLACEMENT=a or b runs the tests on Citus, with the tables of the standard user placed as docs/distributed.md
 * says. DATABASE_URL is the coordinator; TEST_CITUS_WORKERS has the workers, such as `127.0.0.1:5433,127.0.0.1:5434`.
 */
export function testPlacement(): 'a' | 'b' | undefined {
  const placement = process.env['TEST_PLACEMENT'];
  return placement === 'a' || placement === 'b' ? placement : undefined;
}

const workers = () => (process.env['TEST_CITUS_WORKERS'] ?? '').split(',').map((each) => new URL(`tcp://${each}`));

/** Adds all nodes to a new database on the coordinator. */
export async function addNodes(coordinator: string, database: string): Promise<void> {
  const { hostname, port } = new URL(coordinator);
  for (const { host } of workers()) {
    await run(coordinator, host, 'postgres', `create database ${database}`);
    await run(coordinator, host, database, 'create extension citus');
  }
  await run(
    coordinator,
    `${hostname}:${port}`,
    database,
    'create extension citus',
    `select citus_set_coordinator_host('${hostname}', ${port})`,
    ...workers().map((worker) => `select citus_add_node('${worker.hostname}', ${worker.port})`),
  );
}

/** Drops a database on the workers. */
export async function dropOnWorkers(coordinator: string, database: string): Promise<void> {
  for (const { host } of workers()) {
    await run(coordinator, host, 'postgres', `drop database ${database} with (force)`);
  }
}

/** Locks rows of a table one by one: Citus cannot lock rows of several shards in one statement. */
export async function lockRows(holder: pg.PoolClient, table: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const { rows } = await holder.query(`select * from ${table} where id = $1`, [id]);
    const { user_id: user } = rows[0];
    const isSession = user !== undefined;
    await holder.query(
      `select 1 from ${table} where id = $1 ${isSession ? 'and user_id = $2' : ''} for update`,
      isSession ? [id, user] : [id],
    );
  }
}

/** How many statements wait for a lock, on all nodes. */
export async function blockedOnNodes(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query(
    `select sum(result::int)::int as blocked from run_command_on_all_nodes($$
       select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() $$)`,
  );
  return rows[0].blocked;
}

async function run(server: string, host: string, database: string, ...statements: string[]): Promise<void> {
  const connectionString = Object.assign(new URL(server), { host, pathname: `/${database}` }).href;
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
