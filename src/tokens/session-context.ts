import type { CustomClaims } from './claims.js';

/** What a session is worth: how and when its user proved who they are, and what is bound to it. */
export interface SessionContext {
  /** How the user proved who they are: `pwd` (a password), `mail` (a mailbox), others of RFC 8176 §2 or an app's. */
  readonly amr: readonly string[];
  /** When the user last proved it, in seconds since the epoch. A refresh does not move it. */
  readonly authTime: number;
  /** Claims that stand in every token of the session until it ends. */
  readonly claims: CustomClaims;
}

/** Who sends the request that signs in or refreshes, as Express tells it. */
export interface RequestClient {
  /** Express's `req.ip`. */
  readonly ip?: string;
  /** The `User-Agent` header. */
  readonly userAgent?: string;
  /** The host that the client asked for, with its port where it named one. The client chooses what it says. */
  readonly host?: string;
}

/** What code of the app may know of a client, without the rest that the library knows. */
export function requestClientOf(client: RequestClient | undefined): RequestClient | undefined {
  return client && { ip: client.ip, userAgent: client.userAgent, host: client.host };
}
