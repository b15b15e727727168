import type { HttpRequest } from './http-message.js';
import type { BodyRequest } from './read-body.js';

/**
 * Whether the client disconnected so early that its request cannot be served. Either its address is no longer known, so
 * that no limit per address would count it, or its body can no longer be read. Call it before the first `await`: it
 * reads the address, and the socket then keeps the address even if the client disconnects later.
 *
 * A missing address alone does not mean that the client has disconnected. Requests over a Unix socket have no address,
 * and neither have requests that a host such as Cloud Functions passes to the app without a socket.
 */
export function isClientDisconnected(request: BodyRequest): boolean {
  const { ip, socket } = request;
  const isClosed = socket?.destroyed === true;
  // A connection that was reset may still have a request and a local address, but no remote address.
  if (ip === undefined) return isClosed || (socket?.localAddress !== undefined && socket.remoteAddress === undefined);
  return isClosed && hasBody(request) && !request.readableEnded;
}

/** Whether the headers say that the request has a body (RFC 9112 §6). */
function hasBody({ headers }: HttpRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
