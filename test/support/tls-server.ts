import { readFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';

const read = (name: string) => readFile(new URL(name, import.meta.url));

/**
 * Serves an app over TLS on a free port of 127.0.0.1. The certificate is for tests only: signed by its own key, which
 * is public, for localhost, *.localhost, *.test, *.other.test and 127.0.0.1, until 2126.
 */
export async function serveByTls(app: RequestListener): Promise<Server> {
  const [cert, key] = await Promise.all([read('tls-test-certificate.pem'), read('tls-test-key.pem')]);
  const server = createServer({ cert, key }, app);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return server;
}
