/** The part of a `pg` client that this file uses. */
export interface PgClient {
  readonly connection: { readonly stream: { destroy(): void } };
  connect(): Promise<unknown>;
  query(
    statement: string | { readonly name: string; readonly text: string },
    values?: readonly unknown[],
  ): Promise<{ rows: unknown[] }>;
  end(): Promise<void>;
  unref(): void;
  on(event: 'end' | 'error', listener: (error?: Error) => void): unknown;
  on(event: 'notification', listener: (message: { payload?: string }) => void): unknown;
}

/** A long-lived connection outside of the app's pool. */
export class DedicatedConnection {
  private constructor(private readonly client: PgClient) {}

  /** Connects a client that is not connected yet. */
  static async open(client: PgClient): Promise<DedicatedConnection> {
    client.on('error', () => {}); // an error without a listener would end the process
    const connection = new DedicatedConnection(client);
    try {
      await client.connect();
    } catch (error) {
      connection.destroy(); // a half-open connection would stay in the database for a minute
      throw error;
    }
    return connection;
  }

  async query<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.client.query(text, values)).rows as Row[];
  }

  /** Runs a prepared statement, which this connection parses only once. */
  async prepared(name: string, text: string): Promise<void> {
    await this.client.query({ name, text });
  }

  /** Lets the process exit although this connection is open. */
  unref(): void {
    this.client.unref();
  }

  onNotification(listener: (payload: string) => void): void {
    this.client.on('notification', ({ payload = '' }) => listener(payload));
  }

  /** Calls the listener when the connection has ended, for any reason. It can be called more than once. */
  onEnd(listener: () => void): void {
    this.client.on('end', listener);
    this.client.on('error', listener);
  }

  /** Closes the connection without waiting for the server, which may not respond. */
  destroy(): void {
    this.client.end().catch(() => {});
    this.client.connection.stream.destroy();
  }
}
