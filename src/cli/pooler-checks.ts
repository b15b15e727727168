import type { Database } from '../database/database.js';
import type { DedicatedConnection } from '../database/dedicated-connection.js';
import { isPreparedStatementLost } from '../database/lost-prepared-statement.js';
import { RevocationChannel } from '../sessions/revocation-channel.js';
import type { Settings } from '../settings/settings.js';
import { describeError } from './error-messages.js';
import type { Finding } from './finding.js';

/** The name of the channel and of the prepared statement for these checks. */
const PROBE = 'jwt_allauth_check';

const TIMEOUT_MS = 5000;

/** How often each of two connections runs the prepared statement, so that a pooler has a chance to swap them. */
const ROUNDS = 5;

/** Checks what a connection pooler between the app and PostgreSQL can prevent. */
export class PoolerChecks {
  constructor(
    private readonly database: Database,
    /** Undefined if they are not valid. */
    private readonly settings: Settings | undefined,
  ) {}

  /** @throws service_unavailable */
  async run(): Promise<Finding[]> {
    return [await this.#notifications(), await this.#preparedStatements()];
  }

  /** Sends a notification as a server does, and waits for it as the revocation list does. */
  async #notifications(): Promise<Finding> {
    const name = 'notifications';
    const { listenUrl, accessTokenSessionCheck } = this.settings ?? {};
    try {
      if (await this.#isNotified(listenUrl))
        return { name, status: 'ok', message: 'notifications of PostgreSQL arrive' };
    } catch (error) {
      if (listenUrl === undefined) throw error;
      return { name, status: 'failed', message: `JWT_ALLAUTH_LISTEN_URL: ${describeError(error)}` };
    }
    if (listenUrl !== undefined) {
      const fault = 'JWT_ALLAUTH_LISTEN_URL gets no notifications from the database of the app';
      const effect = 'the revocation list does not use it';
      const remedy = 'set it to the URL of a direct connection to the same database';
      return { name, status: 'failed', message: `${fault}, so ${effect}. Remedy: ${remedy}` };
    }
    const cause = 'notifications of PostgreSQL do not arrive, probably because of a connection pooler';
    if (accessTokenSessionCheck !== 'revocation-list')
      return { name, status: 'ok', message: `${cause}: only a revocation list would use them` };
    const effect = 'the revocation list learns of ended sessions up to a second later';
    const remedy = 'set JWT_ALLAUTH_LISTEN_URL to the URL of a direct connection';
    return { name, status: 'warning', message: `${cause}: ${effect}. Remedy: ${remedy}` };
  }

  async #isNotified(listenUrl: string | undefined): Promise<boolean> {
    const handlers = { onRevoked: () => {}, onClosed: () => {} };
    const channel = await RevocationChannel.open(this.database, PROBE, handlers, listenUrl);
    return channel.verifyDelivery().finally(() => channel.close());
  }

  /** Runs one prepared statement on two connections in turn, which a transaction pooler would mix up. */
  async #preparedStatements(): Promise<Finding> {
    const name = 'prepared-statements';
    const connections: DedicatedConnection[] = [];
    try {
      while (connections.length < 2) connections.push(await this.database.connect(TIMEOUT_MS));
      for (let round = 0; round < ROUNDS; round++)
        for (const connection of connections) await connection.prepared(PROBE, 'select 1');
      return { name, status: 'ok', message: 'prepared statements work' };
    } catch (error) {
      if (!isPreparedStatementLost(error)) throw error;
      const cause = 'prepared statements do not work, because a connection pooler shares connections';
      const remedy = 'PgBouncer 1.21 or newer with max_prepared_statements';
      return { name, status: 'warning', message: `${cause}: the library is slower without them. Remedy: ${remedy}` };
    } finally {
      for (const connection of connections) connection.destroy();
    }
  }
}
