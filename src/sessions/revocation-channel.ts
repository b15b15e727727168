import { createHash, randomUUID } from 'node:crypto';
import type { Database } from '../database/database.js';
import type { DedicatedConnection } from '../database/dedicated-connection.js';
import type { Table } from '../database/table.js';

/** Marks a notification that we send to ourselves. */
const PING = 'ping ';

/** Milliseconds for which a silent connection is kept. */
const SILENCE = 5000;

/** Answers of the server that may come before it has passed a notification on. */
const PATIENCE = 3;

/** The channel on which the ended sessions of a table are told: one for each, so that two schemas of a database do not mix. */
export function channelNameOf({ name }: Table): string {
  return `jwt_allauth_${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

/** A connection of its own on which PostgreSQL tells which sessions are ended, from the moment in which it was opened. */
export class RevocationChannel {
  #isOpen = true;
  #ping = '';
  #heard = '';
  #answersSincePing = 0;
  readonly #onClosed = Promise.withResolvers<void>();

  private constructor(
    private readonly database: Database,
    private readonly name: string,
    private readonly connection: DedicatedConnection,
  ) {}

  /** @param onRevoked called with the id of each session that is ended from now on */
  static async open(
    database: Database,
    name: string,
    onRevoked: (session: string) => void,
  ): Promise<RevocationChannel> {
    const connection = await database.connect(SILENCE);
    const channel = new RevocationChannel(database, name, connection);
    connection.onEnd(() => channel.#closed());
    connection.onNotification((payload) => {
      if (payload.startsWith(PING)) channel.#heard = payload;
      else onRevoked(payload);
    });
    try {
      await connection.query(`listen ${name}`);
    } catch (error) {
      channel.close();
      throw error;
    }
    return channel;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Resolves when the connection is over. */
  get closed(): Promise<void> {
    return this.#onClosed.promise;
  }

  /** From now on the connection does not keep the process alive. */
  unref(): void {
    this.connection.unref();
  }

  /** Resolves when the server has answered: whatever was notified before has been heard by then. */
  async beat(): Promise<void> {
    await this.connection.query('select 1');
    this.#answersSincePing++;
  }

  /**
   * Notifies this channel through the app's pool. A pooler between the two that gives connections to others after each
   * transaction takes LISTEN without complaint, and nothing ever comes.
   */
  async ping(): Promise<void> {
    const ping = PING + randomUUID();
    await this.database.query('select pg_notify($1, $2)', [this.name, ping]);
    this.#ping = ping;
    this.#answersSincePing = 0;
  }

  /** Whether the last ping has not arrived though the server has answered often enough since. */
  get isDeaf(): boolean {
    return this.#heard !== this.#ping && this.#answersSincePing >= PATIENCE;
  }

  /** Whether a ping arrives. */
  async isHearing(): Promise<boolean> {
    await this.ping();
    while (this.#heard !== this.#ping && !this.isDeaf) await this.beat();
    return !this.isDeaf;
  }

  /** Gives the connection up without waiting for a server that may be silent. */
  close(): void {
    this.connection.destroy();
    this.#closed();
  }

  #closed(): void {
    this.#isOpen = false;
    this.#onClosed.resolve();
  }
}
