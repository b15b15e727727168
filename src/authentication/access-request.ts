import type { IncomingMessage } from 'node:http';

/** The parts of an Express request that a predicate can read. They are the same in Express 4 and 5. */
export interface AccessRequest extends IncomingMessage {
  readonly path: string;
  /** The client's address, derived with the app's `trust proxy` setting. */
  readonly ip?: string;
  /** The parameters of the route path. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** The parsed body, if the action reads one. It has not been validated yet. */
  readonly body?: unknown;
}
