import type { IncomingHttpHeaders } from 'node:http';
import { hostOf } from '../dpop/requested-url.js';
import type { SessionClient } from '../sessions/client-device.js';

/** The parts of an Express request that the library reads. They are the same in Express 4 and 5. */
export interface HttpRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** `http` or `https`, derived with the app's `trust proxy` setting. */
  readonly protocol: string;
  /** The client's address, derived with the app's `trust proxy` setting. */
  readonly ip?: string;
  readonly path: string;
  /** The path and the query, of the whole app. */
  readonly originalUrl?: string;
  /** The Express app that is handling the request. */
  readonly app?: unknown;
  readonly socket?: { readonly remoteAddress?: string; readonly localAddress?: string; readonly destroyed?: boolean };
  /** Set by routing-controllers when an action starts. */
  readonly routingControllersStarted?: boolean;
}

/** Attributes of a cookie in the form that Express uses; `maxAge` in milliseconds. */
export interface CookieAttributes {
  readonly httpOnly: boolean;
  readonly secure: boolean;
  readonly sameSite: 'lax' | 'strict' | 'none';
  readonly path: string;
  readonly domain?: string;
  readonly maxAge?: number;
  readonly partitioned?: boolean;
}

/** The parts of an Express response that the library uses. */
export interface HttpResponse {
  readonly headersSent: boolean;
  status(code: number): this;
  getHeader(name: string): unknown;
  setHeader(name: string, value: string): unknown;
  cookie(name: string, value: string, attributes: CookieAttributes): unknown;
  end(body: string): unknown;
}

/** Express's `next`. */
export type Next = (error?: unknown) => void;

/** A function for `@UseBefore`. */
export type Before = (request: HttpRequest, response: HttpResponse, next: Next) => void;

/** The client of a request: address, user agent and requested host. */
export function clientOf(request: HttpRequest): SessionClient {
  return { ip: request.ip, userAgent: request.headers['user-agent'], host: hostOf(request) };
}
