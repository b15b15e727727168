import { plainRequest } from './plain-request.js';
import { secrets } from './secrets.js';

/** An answer that was read completely. */
export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test knows what it asks for
  readonly body: any;
  readonly headers: Headers;
  /** The refresh token's cookie as it was set: name, value and attributes; undefined if none was set. */
  readonly cookie?: { name: string; value: string; attributes: string[] };
}

/** One browser or program: it stores its refresh cookie and its last access token, and sends both. */
export class TestClient {
  /** Value of the refresh cookie; in body mode, the last refresh token. */
  refreshToken = '';
  access = '';

  constructor(
    readonly url: string,
    private readonly mode: 'cookie' | 'body',
    private readonly cookieName: string,
  ) {}

  /** A second client with the same tokens: another tab, or a thief. */
  copy(): TestClient {
    return Object.assign(new TestClient(this.url, this.mode, this.cookieName), {
      refreshToken: this.refreshToken,
      access: this.access,
    });
  }

  register(email: string, password = PASSWORD, more: object = {}): Promise<Answer> {
    return this.#keep(this.send('POST', '/auth/registration', { email, password, ...more }));
  }

  login(email: string, password = PASSWORD, headers: Record<string, string> = {}): Promise<Answer> {
    return this.#keep(this.send('POST', '/auth/login', { email, password }, headers));
  }

  refresh(headers: Record<string, string> = {}): Promise<Answer> {
    return this.#keep(this.#withRefreshToken('/auth/refresh', headers));
  }

  logout(): Promise<Answer> {
    return this.#withRefreshToken('/auth/logout');
  }

  logoutAll(): Promise<Answer> {
    return this.send('POST', '/auth/logout-all', undefined, this.bearer);
  }

  changePassword(oldPassword: string, newPassword: string): Promise<Answer> {
    return this.#keep(this.send('POST', '/auth/password/change', { oldPassword, newPassword }, this.bearer));
  }

  /** A request with the access token. */
  get(path: string): Promise<Answer> {
    return this.send('GET', path, undefined, this.bearer);
  }

  get bearer(): Record<string, string> {
    return this.access ? { authorization: `Bearer ${this.access}` } : {};
  }

  get cookieHeader(): Record<string, string> {
    return this.mode === 'cookie' && this.refreshToken ? { cookie: `${this.cookieName}=${this.refreshToken}` } : {};
  }

  /** Sends a request unchanged and reads the answer; its secrets are recorded in `secrets`. */
  async send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const json: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
    const payload = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    if (typeof body === 'object' && body !== null) {
      const { password, oldPassword, newPassword, refresh } = body as Record<string, unknown>;
      secrets.add(password, oldPassword, newPassword, refresh);
    }
    secrets.add(headers['dpop']);
    const response = await plainRequest(this.url + path, method, { ...json, ...headers }, payload);
    const { text } = response;
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    const answer = {
      status: response.status,
      body: isJson && text ? JSON.parse(text) : text,
      headers: response.headers,
      cookie: parseCookie(response.headers.getSetCookie().find((cookie) => cookie.includes('refresh'))),
    };
    secrets.add(answer.body?.access, answer.body?.refresh, answer.cookie?.value);
    if (response.status >= 400) secrets.saw(`${method} ${path} ${response.status}`, text);
    return answer;
  }

  #withRefreshToken(path: string, headers: Record<string, string> = {}): Promise<Answer> {
    if (this.mode === 'cookie') return this.send('POST', path, undefined, { ...this.cookieHeader, ...headers });
    return this.send('POST', path, { refresh: this.refreshToken }, headers);
  }

  async #keep(answering: Promise<Answer>): Promise<Answer> {
    const answer = await answering;
    if (answer.status < 300) {
      this.access = answer.body.access;
      this.refreshToken = answer.cookie?.value ?? answer.body.refresh ?? this.refreshToken;
    }
    return answer;
  }
}

/** A password that every rule accepts. The estimate of its strength takes a quarter of the time of a common sentence. */
export const PASSWORD = 'a sentence qxvz';

function parseCookie(header: string | undefined): Answer['cookie'] {
  if (!header) return undefined;
  const [pair = '', ...attributes] = header.split('; ');
  const [name = '', value = ''] = pair.split(/=(.*)/);
  return { name, value, attributes };
}
