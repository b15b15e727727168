/** What this file uses of a client of `pg`. */
export interface PgClient {
  readonly connection: { readonly stream: { destroy(): void } };
  connect(): Promise<unknown>;
  query(text: string, values?: readonly unknown[]): Promise<{ rows: unknown[] }>;
  end(): Promise<void>;
  unref(): void;
  on(event: 'end' | 'error', listener: (error?: Error) => void): unknown;
  on(event: 'notification', listener: (message: { payload?: string }) => void): unknown;
}

/** A connection beside the app's pool, for what needs one of its own for long. */
export class DedicatedConnection {
  private constructor(private readonly client: PgClient) {}

  /** Connects a client that has not been connected yet. */
  static async open(client: PgClient): Promise<DedicatedConnection> {
    client.on('error', () => {}); // without a listener it would end the process
    const connection = new DedicatedConnection(client);
    try {
      await client.connect();
    } catch (error) {
      connection.destroy(); // half open, it would hold its database for a minute
      throw error;
    }
    return connection;
  }

  async query<Row>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.client.query(text, values)).rows as Row[];
  }

  /** From now on the connection does not keep the process alive. */
  unref(): void {
    this.client.unref();
  }

  onNotification(listener: (payload: string) => void): void {
    this.client.on('notification', ({ payload = '' }) => listener(payload));
  }

  /** Calls back when the connection is over, whoever ended it. */
  onEnd(listener: () => void): void {
    this.client.on('end', listener);
    this.client.on('error', listener);
  }

  /** Ends the connection without waiting for a server that may be silent. */
  destroy(): void {
    this.client.end().catch(() => {});
    this.client.connection.stream.destroy();
  }
}
