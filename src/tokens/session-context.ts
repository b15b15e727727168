import type { CustomClaims } from './claims.js';

/** How and when the user of a session authenticated, and the claims that are bound to the session. */
export interface SessionContext {
  /** The authentication methods: `pwd` (password), `mail` (mailbox), others of RFC 8176 §2, or names of the app. */
  readonly amr: readonly string[];
  /** When the user last authenticated, in seconds since the epoch. A refresh does not change it. */
  readonly authTime: number;
  /** Claims that are in every token of the session until it ends. */
  readonly claims: CustomClaims;
}

/** The client that sends a request, as the app's hooks and `forUser` see it. */
export interface RequestClient {
  /** Express's `req.ip`. */
  readonly ip?: string;
  /** The `User-Agent` header. */
  readonly userAgent?: string;
  /** The `Host` of the request, with its port if there is one. The client can send any value. */
  readonly host?: string;
}

/** The properties of a client that the app's code gets. Drops the library's internal ones. */
export function requestClientOf(client: RequestClient | undefined): RequestClient | undefined {
  return client && { ip: client.ip, userAgent: client.userAgent, host: client.host };
}
