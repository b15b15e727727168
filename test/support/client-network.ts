/** The fault of a request on its way. */
export type Mishap =
  /** It never arrives. */
  | 'lost'
  /** The server answers, and the answer never arrives. */
  | 'answer lost'
  /** Half of the answer arrives. */
  | 'answer cut';

/** A network with the cookie jar of one browser. It fails on command and records the requests. */
export class ClientNetwork {
  /** Faults of the next requests to a path, in order. */
  readonly mishaps = new Map<string, Mishap[]>();
  /** The requests, as `METHOD /path status`; `-` for a request without an answer. */
  readonly log: string[] = [];
  readonly cookies = new Map<string, string>();
  isOffline = false;
  /** Whether the browser refuses every cookie. */
  isWithoutCookies = false;
  /** Called before an answer is passed on. */
  pause?: (path: string) => Promise<void> | undefined;

  /** The tokens that were sent, oldest first. */
  readonly bearers: (string | null)[] = [];

  fails(path: string, ...mishaps: Mishap[]): void {
    this.mishaps.set(path, mishaps);
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const mishap = this.isOffline ? 'lost' : this.mishaps.get(pathname)?.shift();
    const line = `${request.method} ${pathname}`;
    this.bearers.push(request.headers.get('authorization'));
    if (mishap === 'lost') {
      this.log.push(`${line} -`);
      throw new TypeError('fetch failed');
    }
    if (this.cookies.size && request.credentials === 'include') {
      request.headers.set('cookie', [...this.cookies].map((pair) => pair.join('=')).join('; '));
    }
    const response = await fetch(request);
    await Promise.race([this.pause?.(pathname), ...(this.pause ? [abortOf(request)] : [])]);
    if (mishap === 'answer lost') {
      this.log.push(`${line} -`);
      await response.body?.cancel();
      throw new TypeError('terminated');
    }
    this.log.push(`${line} ${response.status}`);
    if (!this.isWithoutCookies) for (const cookie of response.headers.getSetCookie()) this.#keep(cookie);
    return mishap === 'answer cut' ? cut(response) : response;
  };

  #keep(cookie: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
    if (value) this.cookies.set(name, value);
    else this.cookies.delete(name);
  }
}

/** The answer, cut off in its body. */
function cut({ status, headers }: Response): Response {
  const body = new ReadableStream({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode('{"acc'));
      controller.error(new TypeError('terminated'));
    },
  });
  return new Response(body, { status, headers });
}

function abortOf({ signal }: Request): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}
