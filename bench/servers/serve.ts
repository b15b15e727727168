import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Describes the requests that a server supports. The loader knows nothing else about it. */
export interface Traffic {
  /** An authenticated GET, with the headers of each user. */
  readonly get?: { readonly path: string; readonly users: readonly Record<string, string>[] };
  /** Headers with an expired token. */
  readonly expired?: Record<string, string>;
  /** A rotation: `$` in the body stands for the token; `field` of the JSON answer is its successor. */
  readonly refresh?: {
    readonly path: string;
    readonly contentType: string;
    readonly body: string;
    readonly field: string;
    readonly tokens: readonly string[];
  };
  /** Sign-ins with the right password, as JSON, one per user. */
  readonly signIn?: {
    readonly path: string;
    readonly headers?: Record<string, string>;
    readonly bodies: readonly object[];
  };
  /** When the server had imported its modules, and when it had made its app: milliseconds since its process began. */
  readonly start?: { readonly imported: number; readonly created: number };
}

/** The resources that a server process has used since its start. */
export interface Usage {
  /** CPU time in microseconds. */
  readonly cpu: number;
  /** Resident memory in bytes. */
  readonly rss: number;
  /** Size of live objects in bytes, after a garbage collection if Node was started with --expose-gc. */
  readonly heap: number;
}

/** Starts the server, sends its port and traffic to the loader, and exits together with the loader. */
export function serve(listener: RequestListener, traffic: Traffic): void {
  const server = createServer(listener).listen(0, '127.0.0.1', () => {
    process.send?.({ port: (server.address() as AddressInfo).port, traffic });
  });
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    globalThis.gc?.();
    const { rss, heapUsed } = process.memoryUsage();
    process.send?.({ cpu: user + system, rss, heap: heapUsed } satisfies Usage);
  });
  process.once('disconnect', () => process.exit(0));
}

/** Options of routing-controllers for an app that returns plain data and validates bodies itself. */
export const LEAN = { classTransformer: false, validation: false } as const;

/** Turns off the headers that Express adds to each answer. */
export function lean<App extends { disable(setting: string): unknown }>(app: App): App {
  app.disable('etag');
  app.disable('x-powered-by');
  return app;
}

/** The database of this server, empty at its start. */
export const DATABASE_URL = process.env['DATABASE_URL'] ?? '';

/** The secret of all servers, so that every HS256 costs the same. */
export const SECRET = 'a secret of the bench, forty-eight bytes long: 48!';

/** 32 bytes in base64url. */
export const ENCRYPTION_KEY = 'cfQ0zX2eJm5hVtR8yUo1sLb6NwKd3gPiA9xEvC7GqTk';

/** Number of users, each with a token, over which the requests are spread. A trial run has fewer. */
export const USERS = Number(process.env['BENCH_USERS'] ?? 1000);

/** Number of sessions to refresh. */
export const SESSIONS = 64;

/** The permissions in every token and answer. */
export const PERMISSIONS = ['articles.read', 'articles.write', 'comments.moderate'];

export const PASSWORD = 'correct horse battery staple';

/** The argon2id parameters of the library. */
export const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Database connections per server. */
export const POOL = 10;
