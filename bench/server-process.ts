import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import type { Traffic, Usage } from './servers/serve.js';

/** A measured server in a process of its own. */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly origin: string,
    readonly traffic: Traffic,
  ) {}

  /** @param directory a folder to which PostgreSQL can write, for servers that load their data from there */
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

  async usage(): Promise<Usage> {
    const answer = once(this.child, 'message');
    this.child.send('usage');
    return (await answer)[0];
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.disconnect();
    await ended;
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
