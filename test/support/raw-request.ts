import { type IncomingMessage, request } from 'node:http';
import { secrets } from './secrets.js';
import type { Answer } from './test-client.js';

/** A request exactly as it is sent. */
export interface RawRequest {
  readonly method?: string;
  /** Only `Host` and the headers for the length of the body are added. */
  readonly headers?: Record<string, string>;
  /** A list is sent in chunks, without a length. */
  readonly body?: string | Buffer | readonly (string | Buffer)[];
}

/** Sends a request byte by byte, with headers that `fetch` would not send or would extend. */
export async function rawRequest(url: string, { method = 'POST', headers, body }: RawRequest = {}): Promise<Answer> {
  const length = typeof body === 'string' || Buffer.isBuffer(body) ? { 'content-length': Buffer.byteLength(body) } : {};
  const outgoing = request(url, { method, headers: { ...length, ...headers }, agent: false });
  const arriving = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
  const chunks = body === undefined ? [] : Array.isArray(body) ? body : [body];
  for (const chunk of chunks) outgoing.write(chunk);
  outgoing.end();
  return toAnswer(await arriving, `${method} ${url}`);
}

async function toAnswer(response: IncomingMessage, what: string): Promise<Answer> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  const headers = new Headers();
  for (const [name, values] of Object.entries(response.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const status = response.statusCode ?? 0;
  const isJson = /json/.test(headers.get('content-type') ?? '');
  const answer = { status, body: isJson && text ? JSON.parse(text) : text, headers };
  secrets.add(answer.body?.access, answer.body?.refresh, ...headers.getSetCookie().map(cookieValue));
  if (status >= 400) secrets.saw(`${what} ${status}`, text);
  return answer;
}

/** The value of a `Set-Cookie` header. */
function cookieValue(cookie: string): string {
  return cookie.slice(cookie.indexOf('=') + 1, cookie.indexOf(';'));
}
