import type { IncomingMessage } from 'node:http';

/** What a predicate may read of an Express request: the same in Express 4 and 5. */
export interface AccessRequest extends IncomingMessage {
  readonly path: string;
  /** The client's address, as the app's `trust proxy` says. */
  readonly ip?: string;
  /** The parameters in the path of the route. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** The body, where the action reads one. Nothing has validated it yet. */
  readonly body?: unknown;
}
