import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Traffic, Usage } from './servers/serve.js';

/** A measured server in a process of its own. */
export class ServerProcess {
  /** The servers that have started and not ended. */
  static readonly #running = new Set<ServerProcess>();
  readonly #ended: Promise<unknown>;

  private constructor(
    private readonly child: ChildProcess,
    readonly origin: string,
    readonly traffic: Traffic,
  ) {
    ServerProcess.#running.add(this);
    this.#ended = new Promise((resolve) => child.once('exit', resolve)).finally(() =>
      ServerProcess.#running.delete(this),
    );
  }

  /**
   * Starts a server and waits until it listens.
   *
   * @param directory a folder to which PostgreSQL can write, for servers that load their data from there
   * @throws if the server ends first
   */
  static async start(
    file: string,
    variant: string,
    databaseUrl: string,
    execArgv: readonly string[] = [],
    directory = '',
  ): Promise<ServerProcess> {
    const child = fork(fileURLToPath(new URL(`./servers/${file}.js`, import.meta.url)), {
      execArgv: [...execArgv],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        ...process.env,
        NODE_ENV: 'production',
        DATABASE_URL: databaseUrl,
        BENCH_VARIANT: variant,
        BENCH_DIRECTORY: directory,
      },
    });
    let output = ''; // other servers print every refusal; only the last output before an exit matters
    child.stderr?.on('data', (chunk) => {
      output = `${output}${chunk}`.slice(-2000);
    });
    const [message] = await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) =>
        Promise.reject(new Error(`The server ${file} ended with ${code}: ${output}`)),
      ),
    ]);
    return new ServerProcess(child, `http://127.0.0.1:${message.port}`, message.traffic);
  }

  /** Stops all running servers. A server that is left would keep the process of the benchmark alive. */
  static async stopAll(): Promise<void> {
    await Promise.all([...ServerProcess.#running].map((server) => server.stop()));
  }

  /** @throws if the server ends before it answers */
  async usage(): Promise<Usage> {
    const answer = once(this.child, 'message');
    const failed = this.#ended.then(() => Promise.reject(new Error('The server has ended.')));
    this.child.send('usage');
    return (await Promise.race([answer, failed]))[0];
  }

  /** Stops the server, unless it has ended already. */
  async stop(): Promise<void> {
    if (this.child.connected) this.child.disconnect();
    await this.#ended;
  }
}

/** Creates an empty database on a server. */
export async function createDatabase(server: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  await client.query(`drop database if exists ${name} with (force)`);
  await client.query(`create database ${name}`);
  await client.end();
  return Object.assign(new URL(server), { pathname: `/${name}` }).href;
}

/** Creates a database that has the tables of this library and users. */
export async function createAppDatabase(server: string, name: string): Promise<string> {
  const database = await createDatabase(server, name);
  await (await ServerProcess.start('ours', '', database)).stop();
  return database;
}
