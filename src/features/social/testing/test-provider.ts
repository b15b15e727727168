import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ConfiguredProvider } from '../configured-provider.js';
import { AuthorizationCodes, type Grant } from './authorization-codes.js';
import { ClientCredentials } from './client-credentials.js';
import { providerMetadata } from './provider-metadata.js';
import { formPostPage, signInPage } from './sign-in-page.js';
import { SigningKey } from './signing-key.js';
import { claimsOfUser, type TestProviderUser } from './test-provider-user.js';

const LIFETIME_SECONDS = 300;

/** Options of a provider for tests. */
export interface TestProviderOptions {
  /** The name in the settings and on the page. Default: `Test provider`. */
  readonly name?: string;
  /** Default: any free port. */
  readonly port?: number;
  /** Letters and digits. Give it together with `port` to keep the settings of an app the same. Default: random. */
  readonly clientSecret?: string;
}

/** An entry of JWT_ALLAUTH_SOCIAL_PROVIDERS. */
export interface TestProviderSettings extends ConfiguredProvider {
  readonly name: string;
  readonly clientSecret: string;
}

/** An answer of the provider. Objects are sent as JSON. */
interface ProviderAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: object | string;
}

type Parameters = Readonly<Record<string, string>>;

/**
 * An OpenID provider on 127.0.0.1, for the tests of an app and for development: authorization code flow with PKCE
 * (S256), ES256, discovery, userinfo and the issuer in the answer (RFC 9207). It keeps everything in memory and accepts
 * each redirect URI. Never deploy it: everybody who reaches it can be any of its users.
 */
export class TestProvider {
  readonly client: ClientCredentials;
  /** Says when ID tokens are issued, in milliseconds. Give it the clock of an app whose clock is moved. */
  clock: { now(): number } = Date;
  protected key = new SigningKey();
  readonly #codes = new AuthorizationCodes();
  readonly #accessTokens = new Map<string, Grant>();
  readonly #server: Server;
  #user: TestProviderUser | 'deny' | undefined;
  #issuer = '';

  constructor(
    readonly name = 'Test provider',
    clientSecret?: string,
  ) {
    this.client = new ClientCredentials(clientSecret);
    this.#server = createServer((request, response) => {
      this.handle(request, response).catch(() => response.destroy());
    });
  }

  /** `http://127.0.0.1:<port>` */
  get issuer(): string {
    return this.#issuer;
  }

  /** Starts to listen. @throws if the port is in use */
  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    this.#issuer = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  /** From now on each visitor is this user, without a page. Without a user, the provider shows its page. */
  signInAs(user: TestProviderUser | undefined): void {
    this.#user = user;
  }

  /** From now on each visitor refuses: the provider answers `access_denied`. */
  deny(): void {
    this.#user = 'deny';
  }

  /** The entry of JWT_ALLAUTH_SOCIAL_PROVIDERS for this provider, with other members of it, such as `trustEmail`. */
  settings(more: Partial<ConfiguredProvider> & { readonly id: string }): TestProviderSettings {
    const { name, issuer, client } = this;
    return { name, issuer, clientId: client.id, clientSecret: client.secret, ...more };
  }

  /**
   * An ID token for the native sign-in, as the provider's SDK returns it on a phone.
   *
   * @param claims in addition, or instead; `nonce` is the one that the app sends along
   * @param user default: the user of `signInAs`
   */
  idToken(claims: Readonly<Record<string, unknown>> = {}, user = this.#user): string {
    if (user === undefined || user === 'deny') throw new TypeError('idToken() needs a user: call signInAs() first');
    return this.sign({ ...this.idTokenClaims({ user, request: {} }), ...claims });
  }

  /** Stops the provider. */
  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** Answers one request. */
  protected async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', this.issuer);
    const form = request.method === 'POST' ? new URLSearchParams(await text(request)) : searchParams;
    const answer = this.#answer(pathname, Object.fromEntries(form), request.headers.authorization);
    this.send(response, answer);
  }

  protected send(response: ServerResponse, { status = 200, headers, body = '' }: ProviderAnswer): void {
    const type = typeof body === 'string' ? 'text/html; charset=utf-8' : 'application/json';
    response.writeHead(status, { 'Content-Type': type, 'Cache-Control': 'no-store', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  }

  protected metadata(): object {
    return providerMetadata(this.issuer);
  }

  protected jwks(): object {
    return { keys: [this.key.publicJwk] };
  }

  protected sign(claims: object): string {
    return this.key.sign(claims);
  }

  protected idTokenClaims(grant: Grant): Record<string, unknown> {
    const now = Math.floor(this.clock.now() / 1000);
    const { nonce } = grant.request;
    const times = { iat: now, exp: now + LIFETIME_SECONDS, auth_time: now };
    return { iss: this.issuer, aud: this.client.id, ...times, ...(nonce && { nonce }), ...claimsOfUser(grant.user) };
  }

  protected userInfo({ user }: Grant): Record<string, unknown> {
    return claimsOfUser(user);
  }

  protected tokenResponse(grant: Grant): object {
    const accessToken = randomBytes(24).toString('base64url');
    this.#accessTokens.set(`Bearer ${accessToken}`, grant);
    const idToken = this.sign(this.idTokenClaims(grant));
    return { access_token: accessToken, token_type: 'Bearer', expires_in: LIFETIME_SECONDS, id_token: idToken };
  }

  /** The parameters of the answer to the app. */
  protected authorizationResponse(outcome: Parameters, { state }: Parameters): URLSearchParams {
    return new URLSearchParams({ ...outcome, ...(state && { state }), iss: this.issuer });
  }

  #answer(path: string, parameters: Parameters, authorization: string | undefined): ProviderAnswer {
    if (path === '/.well-known/openid-configuration') return { body: this.metadata() };
    if (path === '/jwks') return { body: this.jwks() };
    if (path === '/authorize') return this.#authorize(parameters);
    if (path === '/token') return this.#token(parameters, authorization);
    if (path === '/userinfo') return this.#userInfo(authorization);
    return { status: 404, body: { error: 'not_found' } };
  }

  #authorize({ user_name, user_email, user_email_verified, user_decision, ...request }: Parameters): ProviderAnswer {
    const { redirect_uri: redirectUri = '', client_id: client } = request;
    if (client !== this.client.id || !/^https?:\/\//.test(redirectUri)) {
      return { status: 400, body: 'The client or the redirect URI is not valid.' };
    }
    if (request['response_type'] !== 'code' || request['code_challenge_method'] !== 'S256') {
      return this.#redirect({ error: 'invalid_request' }, request);
    }
    const byForm = user_email ? { email: user_email, emailVerified: user_email_verified === 'true' } : undefined;
    const user = byForm ? { ...byForm, ...(user_name && { name: user_name }) } : this.#user;
    if (user === 'deny' || user_decision === 'deny') return this.#redirect({ error: 'access_denied' }, request);
    if (!user) return { body: signInPage(this.name, request) };
    return this.#redirect({ code: this.#codes.issue({ user, request }) }, request);
  }

  #redirect(outcome: Parameters, request: Parameters): ProviderAnswer {
    const answer = this.authorizationResponse(outcome, request);
    const { redirect_uri: redirectUri = '', response_mode: mode } = request;
    if (mode === 'form_post') return { body: formPostPage(redirectUri, answer) };
    const location = new URL(redirectUri);
    for (const [name, value] of answer) location.searchParams.append(name, value);
    return { status: 303, headers: { Location: location.href } };
  }

  #token(parameters: Parameters, authorization = ''): ProviderAnswer {
    if (!this.client.areIn(parameters, authorization)) return { status: 401, body: { error: 'invalid_client' } };
    const grant = parameters['grant_type'] === 'authorization_code' && this.#codes.redeem(parameters);
    if (!grant) return { status: 400, body: { error: 'invalid_grant' } };
    return { body: this.tokenResponse(grant) };
  }

  #userInfo(authorization = ''): ProviderAnswer {
    const grant = this.#accessTokens.get(authorization);
    if (!grant) return { status: 401, headers: { 'WWW-Authenticate': 'Bearer error="invalid_token"' }, body: {} };
    return { body: this.userInfo(grant) };
  }
}

/**
 * Starts an OpenID provider on 127.0.0.1, for tests and development. Give the app its `settings({ id: 'test' })` as an
 * entry of `socialProviders`.
 *
 * @throws if the port is in use
 */
export function startTestProvider({ name, port, clientSecret }: TestProviderOptions = {}): Promise<TestProvider> {
  return new TestProvider(name, clientSecret).listen(port);
}
