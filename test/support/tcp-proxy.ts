import { once } from 'node:events';
import { type AddressInfo, createServer, connect as dial, type Server, type Socket } from 'node:net';

/**
 * The fault of one statement:
 * - `lost before`: the connection is reset, and the statement never reaches the server;
 * - `lost after`: the server executes it, and the connection is cut before a byte of the answer comes back;
 * - `lost inside`: half of the answer comes back, then the connection is cut;
 * - `stalled`: the server executes it, and the answer waits for `resume`.
 */
export type Fault = 'lost before' | 'lost after' | 'lost inside' | 'stalled';

/** The fate of a new connection: service, a closed port, an immediate disconnect, or silence. */
export type Door = 'open' | 'closed' | 'slammed' | 'silent';

interface Trap {
  readonly fault: Fault;
  readonly text: string;
  readonly strike: () => void;
}

/** The ends of the messages after which a client waits for an answer: Query, Sync, a password, Terminate. */
const ENDS_REQUEST = new Set('QSpX');

/** ReadyForQuery without its last byte, which ends an answer. */
const READY = Buffer.from('Z\0\0\0\x05', 'latin1');

/**
 * Stands between an app and PostgreSQL and fails on command. Its actions depend on the statements that pass, never on
 * time: it parses just enough of the protocol to find the ends of statements and answers.
 */
export class TcpProxy {
  readonly #links = new Set<Link>();
  readonly #traps: Trap[] = [];
  #target = { host: '127.0.0.1', port: 0 };
  #door: Door = 'open';
  /** Whether notifications are dropped, as by a pooler that shares connections after each transaction. */
  isDeaf = false;

  private constructor(
    private readonly server: Server,
    private readonly port: number,
  ) {
    server.on('connection', (socket) => this.#accept(socket));
  }

  static async start(): Promise<TcpProxy> {
    const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new TcpProxy(server, (server.address() as AddressInfo).port);
  }

  /** Connects to the server of `direct` from now on, and returns the URL through this proxy. */
  urlOf(direct: string): string {
    const url = new URL(direct);
    this.#target = { host: url.hostname, port: Number(url.port || 5432) };
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    return url.href;
  }

  /** Fails the next statement that contains `text`, once. Resolves when that has happened. */
  fail(fault: Fault, text: string): Promise<void> {
    return new Promise((resolve) => this.#traps.push({ fault, text, strike: resolve }));
  }

  /** Removes the faults that have not happened, and returns their number. */
  disarm(): number {
    return this.#traps.splice(0).length;
  }

  /** Lets the stalled answers through. */
  resume(): void {
    for (const link of this.#links) link.resume();
  }

  /** Closes every connection. */
  cut(): void {
    for (const link of this.#links) link.cut();
  }

  /** Cuts every connection and sets the fate of new ones. */
  async setDoor(door: Door): Promise<void> {
    if (door === 'closed' && this.server.listening) this.server.close();
    this.#door = door;
    this.cut();
    if (door === 'closed' || this.server.listening) return;
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  async close(): Promise<void> {
    await this.setDoor('closed');
  }

  #accept(socket: Socket): void {
    if (this.#door === 'slammed') {
      socket.resetAndDestroy();
      return;
    }
    const server = this.#door === 'silent' ? undefined : dial({ ...this.#target, noDelay: true });
    const link = new Link(
      socket,
      server,
      (statement) => this.#takeTrap(statement),
      () => this.isDeaf,
    );
    this.#links.add(link);
    socket.on('close', () => this.#links.delete(link));
  }

  #takeTrap(statement: Buffer): Trap | undefined {
    const index = this.#traps.findIndex(({ text }) => statement.includes(text));
    return index < 0 ? undefined : this.#traps.splice(index, 1)[0];
  }
}

/** One connection through the proxy. */
class Link {
  #input = Buffer.alloc(0);
  #isStarted = false;
  /** Whole messages of a request that is not complete. */
  #request: Buffer[] = [];
  #answer = Buffer.alloc(0);
  #trap?: Trap;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket | undefined,
    private readonly takeTrap: (statement: Buffer) => Trap | undefined,
    private readonly isDeaf: () => boolean,
  ) {
    for (const socket of [client, server]) socket?.on('error', () => this.cut()).on('close', () => this.cut());
    client.on('data', (chunk) => this.#onClientData(chunk));
    server?.on('data', (chunk) => this.#onServerData(chunk));
  }

  cut(): void {
    this.client.destroy();
    this.server?.destroy();
  }

  resume(): void {
    if (this.#trap?.fault !== 'stalled') return;
    this.#trap = undefined;
    this.client.write(this.#answer);
    this.#answer = Buffer.alloc(0);
  }

  #onClientData(chunk: Buffer): void {
    this.#input = Buffer.concat([this.#input, chunk]);
    for (let message = this.#nextMessage(); message; message = this.#nextMessage()) {
      this.#request.push(message);
      const isWhole = !this.#isStarted || ENDS_REQUEST.has(String.fromCharCode(message[0] ?? 0));
      this.#isStarted = true;
      if (isWhole) this.#forward(Buffer.concat(this.#request.splice(0)));
    }
  }

  /** The first message of a connection has no letter in front of its length; every later one has. */
  #nextMessage(): Buffer | undefined {
    const head = this.#isStarted ? 1 : 0;
    if (this.#input.length < head + 4) return undefined;
    const length = head + this.#input.readInt32BE(head);
    if (this.#input.length < length) return undefined;
    const message = this.#input.subarray(0, length);
    this.#input = this.#input.subarray(length);
    return message;
  }

  #forward(request: Buffer): void {
    this.#trap = this.takeTrap(request) ?? this.#trap;
    if (this.#trap?.fault !== 'lost before') {
      this.server?.write(request);
      return;
    }
    this.client.resetAndDestroy();
    this.#trap.strike();
  }

  #onServerData(chunk: Buffer): void {
    if (!this.#trap) {
      this.client.write(this.isDeaf() ? withoutNotifications(chunk) : chunk);
      return;
    }
    this.#answer = Buffer.concat([this.#answer, chunk]);
    if (!this.#answer.subarray(-6, -1).equals(READY)) return;
    this.#strike(this.#trap);
  }

  #strike({ fault, strike }: Trap): void {
    if (fault === 'lost inside') {
      this.client.end(this.#answer.subarray(0, this.#answer.length / 2));
      this.server?.destroy();
    } else if (fault === 'lost after') {
      this.cut();
    }
    strike();
  }
}

/** The server's bytes without NotificationResponse messages; with little traffic a chunk begins with a message. */
function withoutNotifications(chunk: Buffer): Buffer {
  const kept: Buffer[] = [];
  for (let at = 0; at < chunk.length; ) {
    const end = at + 1 + (chunk.length >= at + 5 ? chunk.readInt32BE(at + 1) : chunk.length);
    if (String.fromCharCode(chunk[at] ?? 0) !== 'A') kept.push(chunk.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}
