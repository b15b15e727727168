import { AuthClient } from '../../src/client/index.js';
import type { RefreshTokenStore } from '../../src/client/store.js';

/** The members of an answer. */
export interface StubAnswer {
  readonly status?: number;
  readonly body?: object | string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A request that the stub has answered. */
export interface StubRequest {
  readonly request: string;
  /** The jti in the access token that was sent. */
  readonly jti: string | undefined;
  readonly body: unknown;
}

/** A server with one session at a time, whose routes a test defines: `POST /auth/login`, for example. */
export class StubAuthServer {
  static readonly URL = 'https://app.example.com';
  readonly log: StubRequest[] = [];
  /** The answer to each route. Others answer 404. */
  readonly routes: Record<string, (sent: StubRequest) => StubAnswer | Promise<StubAnswer>> = {
    'POST /auth/login': () => this.opens('1'),
    'POST /auth/refresh': () => ({ body: this.tokens() }),
  };
  readonly #clients: AuthClient[] = [];
  #session = 0;
  #tokens = 0;
  #sub = '1';
  #authTime = 0;

  /** @param isCookie whether the refresh token is not in the bodies */
  constructor(private readonly isCookie = false) {}

  /** A client of this server. It keeps refresh tokens in the store. */
  newClient(store: RefreshTokenStore): AuthClient {
    const client = new AuthClient({ url: `${StubAuthServer.URL}/auth`, store, fetch: this.fetch });
    this.#clients.push(client);
    return client;
  }

  /** The requests, as `METHOD /path` and the jti that was sent. */
  get requests(): string[] {
    return this.log.map(({ request, jti }) => (jti ? `${request} ${jti}` : request));
  }

  /** Opens a session of this user. */
  opens(sub: string): StubAnswer {
    this.#sub = sub;
    this.#session++;
    this.#authTime++;
    return { body: this.tokens() };
  }

  /** Proves the user of the session again. */
  proves(): StubAnswer {
    this.#authTime++;
    return { body: { access: this.#access() } };
  }

  tokens(): object {
    const access = this.#access();
    return { access, ...(!this.isCookie && { refresh: `refresh ${this.#tokens}` }) };
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  #access(): string {
    const jti = `${++this.#tokens}`;
    const claims = { sub: this.#sub, session: `s${this.#session}`, jti, auth_time: this.#authTime, iat: 0, exp: 600 };
    return `e30.${btoa(JSON.stringify(claims))}.`;
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const route = `${request.method} ${new URL(request.url).pathname}`;
    const [, payload] = request.headers.get('Authorization')?.split('.') ?? [];
    const text = await request.text();
    const sent = {
      request: route,
      jti: payload && JSON.parse(atob(payload)).jti,
      body: text.startsWith('{') ? JSON.parse(text) : text,
    };
    this.log.push(sent);
    const { status = 200, body, headers } = (await this.routes[route]?.(sent)) ?? { status: 404 };
    const content = typeof body === 'string' ? body : JSON.stringify(body);
    return new Response(status === 204 ? null : content, { status, ...(headers && { headers }) });
  };
}

/** Problem details with this code, and more members. */
export function problem(
  code: string,
  members: object = {},
  headers: Readonly<Record<string, string>> = {},
): StubAnswer {
  return { status: 401, body: { code, detail: `${code}.`, ...members }, headers };
}
