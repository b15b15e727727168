import type { HttpRequest } from './http-message.js';
import type { BodyRequest } from './read-body.js';

/**
 * Whether the client has left so early that its request cannot be served: its address is no longer known, so that no
 * limit per address would count it, or its body can no longer be read. Nobody hears an answer. To be called before
 * anything is awaited: a socket that was asked for its address once keeps the answer.
 *
 * Requests over a Unix socket, and those of hosts without sockets, have no address either. Their clients have not left.
 */
export function isClientDisconnected(request: BodyRequest): boolean {
  const { ip, socket } = request;
  const isClosed = socket?.destroyed === true;
  // A connection that was reset may still have its request, its own end and no other end.
  if (ip === undefined) return isClosed || (socket?.localAddress !== undefined && socket.remoteAddress === undefined);
  return isClosed && hasBody(request) && !request.readableEnded;
}

/** RFC 9112 §6: what tells that a request has a body. */
function hasBody({ headers }: HttpRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
