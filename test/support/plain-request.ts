import { Agent, type IncomingMessage, request } from 'node:http';

/** An answer that was read completely. */
export interface PlainAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** The headers that `fetch` adds. */
const OF_FETCH = { accept: '*/*', 'accept-language': '*', 'sec-fetch-mode': 'cors', 'user-agent': 'node' };

const agent = new Agent({ keepAlive: true });

/** The errors of a request on a connection that the server was closing because it was idle: the request was not read. */
const WAS_CLOSED = new Set(['ECONNRESET', 'EPIPE']);

/**
 * Sends a request as `fetch` does, in less than half of its CPU time. Does not follow redirects.
 *
 * @throws the error of the connection; Error for an answer with a redirect
 */
export async function plainRequest(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: string | undefined,
): Promise<PlainAnswer> {
  const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
  const options = { agent, method, headers: { ...OF_FETCH, ...length, ...headers } };
  const response = await new Promise<IncomingMessage | undefined>((resolve, reject) => {
    const outgoing = request(url, options, resolve);
    outgoing.once('error', (error: NodeJS.ErrnoException) => {
      if (outgoing.reusedSocket && WAS_CLOSED.has(error.code ?? '')) resolve(undefined);
      else reject(error);
    });
    outgoing.end(body);
  });
  if (!response) return plainRequest(url, method, headers, body);
  const { statusCode: status = 0, rawHeaders } = response;
  if (status >= 300 && response.headers.location) throw new Error(`${method} ${url} was answered with a redirect`);
  let text = '';
  response.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await new Promise((resolve, reject) => response.once('end', resolve).once('error', reject));
  const received = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) received.append(rawHeaders[at] ?? '', rawHeaders[at + 1] ?? '');
  return { status, headers: received, text };
}
