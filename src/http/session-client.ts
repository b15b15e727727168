import type { SessionClient } from '../sessions/client-device.js';
import type { HttpRequest } from './http-message.js';

/** Who sends a request, as Express tells it. */
export function clientOf({ ip, headers }: HttpRequest): SessionClient {
  return { ip, userAgent: headers['user-agent'] };
}
