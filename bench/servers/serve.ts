import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

/** How one server wants to be asked; what the loader needs to know of it, and all that it knows. */
export interface Traffic {
  /** An authenticated GET: the headers of each of its users. */
  readonly get?: { readonly path: string; readonly users: readonly Record<string, string>[] };
  /** Headers with a token that was valid once. */
  readonly expired?: Record<string, string>;
  /** A rotation: `$` in the body stands for the token, `field` of the JSON answer is its successor. */
  readonly refresh?: {
    readonly path: string;
    readonly contentType: string;
    readonly body: string;
    readonly field: string;
    readonly tokens: readonly string[];
  };
  /** Sign-ins with the right password, as JSON: one for each user. */
  readonly signIn?: {
    readonly path: string;
    readonly headers?: Record<string, string>;
    readonly bodies: readonly object[];
  };
}

/** What a server process has used since it started. */
export interface Usage {
  /** CPU time in microseconds. */
  readonly cpu: number;
  /** Resident memory in bytes. */
  readonly rss: number;
  /** Bytes of live objects, after a garbage collection where Node was started with --expose-gc. */
  readonly heap: number;
}

/** Listens, tells the loader that started this process where and how, and ends with it. */
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

/** Options of routing-controllers for an app that returns plain data and looks at its bodies itself. */
export const LEAN = { classTransformer: false, validation: false } as const;

/** Turns off what Express adds to each answer. */
export function lean<App extends { disable(setting: string): unknown }>(app: App): App {
  app.disable('etag');
  app.disable('x-powered-by');
  return app;
}

/** Database of this server alone, empty at its start. */
export const DATABASE_URL = process.env['DATABASE_URL'] ?? '';

/** The one secret of all servers, so that every HS256 costs the same. */
export const SECRET = 'a secret of the bench, forty-eight bytes long: 48!';

/** 32 bytes in base64url. */
export const ENCRYPTION_KEY = 'cfQ0zX2eJm5hVtR8yUo1sLb6NwKd3gPiA9xEvC7GqTk';

/** Users, each with a token, over which the requests are spread. */
export const USERS = 1000;

/** Sessions that are there to be refreshed. */
export const SESSIONS = 64;

/** What every server puts into its tokens and answers with. */
export const PERMISSIONS = ['articles.read', 'articles.write', 'comments.moderate'];

export const PASSWORD = 'correct horse battery staple';

/** argon2id with the parameters of the library. */
export const ARGON2 = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Connections to the database of each server. */
export const POOL = 10;
