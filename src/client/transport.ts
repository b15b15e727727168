import type { CallOptions } from '../client-calls.js';
import type { AccessToken } from './access-token.js';
import { resultOf } from './answer.js';
import { networkError } from './auth-error.js';
import type { PendingAnswer } from './pending-answer.js';
import type { Tokens } from './session-keeper.js';
import type { RefreshTokenStore } from './store.js';
import { timeoutSignal } from './timeout-signal.js';

/** Timeout of a request that changes the refresh token, in milliseconds. Other tabs wait until the request ends. */
const TIMEOUT_MS = 30_000;

/** Sends a request, with the access token if one is given. */
export type Send = (request: Request, token?: AccessToken) => Promise<Response>;

/** Sends requests to the server. */
export interface Transport {
  /** Creates a request to an endpoint. */
  request(method: string, path: string, content: CallOptions): Request;
  /** Sends a request. Rejects with `network_error` if no answer arrives, or with the abort reason of its signal. */
  send: Send;
  /**
   * Sends a request that changes the refresh token. Call it only during a turn of this tab (`Tabs.next`), because no
   * other tab may change the token at the same time.
   */
  sendChange: Send;
  /** Exchanges the refresh token for new tokens. Resolves to undefined if there is no refresh token. */
  refresh(): Promise<Tokens | undefined>;
  /** Revokes the session of the refresh token. If the token is invalid, the call fails, but its cookie is removed. */
  logout(): Promise<void>;
}

/**
 * Creates the transport to the server at this URL.
 *
 * @param store stores the refresh token; undefined if the token travels in a cookie
 * @param pending marks for other tabs that the answer with a new cookie has not arrived yet
 */
export function transportTo(
  url: string,
  store: RefreshTokenStore | undefined,
  fetch: (request: Request) => Promise<Response>,
  pending: PendingAnswer | undefined,
): Transport {
  const request: Transport['request'] = (method, path, { body, credentials = store ? 'same-origin' : 'include' }) =>
    new Request(url + path, {
      method,
      credentials,
      body: body && JSON.stringify(body),
      headers: {
        ...(body && { 'Content-Type': 'application/json' }),
        ...store?.headers,
      },
    });

  /** Sends a request. @param hasTimeout whether its signal is the timeout of `sendChange`, not the caller's signal */
  const send = async (outgoing: Request, token: AccessToken | undefined, hasTimeout?: boolean): Promise<Response> => {
    if (token) outgoing.headers.set('Authorization', `Bearer ${token.text}`);
    try {
      return await fetch(outgoing);
    } catch (cause) {
      throw outgoing.signal.aborted && !hasTimeout ? cause : networkError(cause);
    }
  };

  const sendChange: Send = (outgoing, token) => {
    // With `keepalive`, the answer and its cookie arrive even if the page is closed. The timeout replaces the caller's
    // signal, because an abort by the caller must not lose the cookie.
    const sendWithTimeout = () =>
      send(new Request(outgoing, { keepalive: true, signal: timeoutSignal(TIMEOUT_MS) }), token, true);
    return pending ? pending.during(sendWithTimeout) : sendWithTimeout();
  };

  /** Sends the refresh token to an endpoint. Resolves to undefined if there is no token, and for an empty answer. */
  const postRefreshToken = async <Result>(path: string): Promise<Result | undefined> => {
    const body = store && { refresh: await store.get() };
    if (body && !body.refresh) return undefined;
    return resultOf(await sendChange(request('POST', path, { body })));
  };

  return {
    request,
    send,
    sendChange,
    // With `quiet`, a request without a refresh token is answered with 204 instead of an error.
    refresh: () => postRefreshToken('/refresh?quiet=true'),
    logout: () => postRefreshToken('/logout'),
  };
}
