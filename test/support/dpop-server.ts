import { createHash, randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';
import type { ProofRefusal } from '../../src/error.js';

interface Session {
  readonly id: string;
  readonly user: string;
  key: string | undefined;
  /** The refresh tokens, oldest first. */
  readonly tokens: string[];
}

/** An answer: its status, the code of an error, and its other members. */
interface Answer {
  readonly status: number;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

const NONCE = 'the-nonce';
const refuse = (status: number, code: string, headers = {}): Answer => ({
  status,
  body: { code, detail: code },
  headers,
});
const refuseProof = (reason: ProofRefusal): Answer => ({
  status: 401,
  body: { code: 'dpop_proof_invalid', detail: reason, reason },
  headers: { 'WWW-Authenticate': 'DPoP error="invalid_dpop_proof"' },
});
/** The refusal of a request to a bound session that has a proof by this key, or none. */
const refuseKey = (key: string | undefined) => refuseProof(key ? 'proof-of-another-key' : 'proof-missing');

/**
 * A server on 127.0.0.1 with sign-in, refresh and sign-out, which binds sessions to keys (RFC 9449) and verifies the
 * proofs with `jose`. Refresh tokens travel in bodies. A test can let it fail in many ways.
 */
export class DpopServer {
  readonly url: string;
  /** The requests, as `METHOD /path status`, and `proof` if one was sent. */
  readonly log: string[] = [];
  /** What a proxy does to the path before the server compares it with the proof. */
  rewrite = (path: string) => path;
  /** Whether the server refuses sign-ins without a proof. */
  isRequired = false;
  /** Whether access tokens need proofs. */
  isTokenBound = false;
  /** Whether the nonce of the server is kept from clients. */
  isNonceHidden = false;
  /** How many seconds the server's clock is ahead of the clients'. */
  ahead = 0;
  /** The paths whose next answers are lost, after the server has done its work. */
  readonly lost: string[] = [];
  /** The paths whose next requests arrive twice, because the network repeats them. The first answer is lost. */
  readonly doubled: string[] = [];
  readonly sessions = new Map<string, Session>();
  readonly #access = new Map<string, Session>();
  readonly #proofs = new Set<string>();
  readonly #server;

  private constructor(server: ReturnType<typeof createServer>) {
    this.#server = server;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async start(): Promise<DpopServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const started = new DpopServer(server);
    server.on('request', (request, response) => void started.#serve(request, response));
    return started;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** The thumbprints of the keys of the live sessions, oldest first; undefined for one that is not bound. */
  get keys(): (string | undefined)[] {
    return [...this.sessions.values()].map(({ key }) => key);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = ''] = (request.url ?? '').split('?');
    const body = JSON.parse((await text(request)) || '{}');
    const take = (paths: string[]) => paths.includes(path) && paths.splice(paths.indexOf(path), 1).length > 0;
    if (take(this.doubled)) await this.#answer(request, path, body);
    const { status, body: sent, headers } = await this.#answer(request, path, body);
    this.log.push(`${request.method} ${path} ${status}${request.headers['dpop'] ? ' proof' : ''}`);
    if (take(this.lost)) return void response.destroy();
    response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
    response.end(sent && JSON.stringify(sent));
  }

  async #answer(request: IncomingMessage, path: string, body: Record<string, string>): Promise<Answer> {
    const { authorization = '' } = request.headers;
    const [scheme = '', token = ''] = authorization.split(' ');
    const key = await this.#verify(request, path, scheme === 'DPoP' ? token : undefined);
    if (typeof key === 'object' && !path.endsWith('/logout')) return key;
    const jkt = typeof key === 'string' ? key : undefined;
    if (path === '/auth/login') return this.#login(body, jkt);
    const refreshed = [...this.sessions.values()].find(({ tokens }) => tokens.includes(body['refresh'] ?? ''));
    if (path === '/auth/refresh') return this.#refresh(refreshed, body['refresh'] ?? '', jkt);
    if (path === '/auth/logout') {
      if (refreshed) this.sessions.delete(refreshed.id);
      return { status: 204 };
    }
    const session = this.#access.get(token);
    if (!session || !this.sessions.has(session.id)) return refuse(401, 'token_not_valid');
    const isByScheme = scheme === 'DPoP' || !session.key;
    if (this.isTokenBound && (!isByScheme || session.key !== jkt)) return refuseKey(jkt);
    if (path === '/auth/reauthenticate') {
      return session.key && session.key !== jkt ? refuseKey(jkt) : this.#tokens(session, false);
    }
    return { status: 200, body: { user: session.user, method: request.method, ...body } };
  }

  #login({ email = '', password }: Record<string, string>, key: string | undefined): Answer {
    if (!key && this.isRequired) return refuse(400, 'dpop_proof_missing');
    if (password === 'wrong') return refuse(401, 'incorrect_credentials');
    const session: Session = { id: randomBytes(8).toString('hex'), user: email, key, tokens: [] };
    this.sessions.set(session.id, session);
    return this.#tokens(session);
  }

  #refresh(session: Session | undefined, token: string, key: string | undefined): Answer {
    if (!session) return refuse(401, 'token_not_valid');
    if (session.key && session.key !== key) return refuseKey(key);
    session.key ??= key;
    const age = session.tokens.length - 1 - session.tokens.indexOf(token);
    if (age === 0) return this.#tokens(session);
    if (age === 1 && session.key) return this.#tokens(session, true, session.tokens.at(-1));
    this.sessions.delete(session.id);
    return refuse(401, 'refresh_token_reused');
  }

  #tokens(session: Session, withRefresh = true, refresh = randomBytes(8).toString('hex')): Answer {
    const claims = { sub: session.user, session: session.id, iat: 1, exp: 601, cnf: { jkt: session.key } };
    const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
    const access = `e30.${payload}.${this.#access.size}`;
    this.#access.set(access, session);
    if (withRefresh && !session.tokens.includes(refresh)) session.tokens.push(refresh);
    const type = this.isTokenBound && session.key ? { token_type: 'DPoP' } : {};
    return { status: 200, body: { access, ...(withRefresh && { refresh }), ...type } };
  }

  /** The thumbprint of the key whose proof was sent, undefined without a proof, or the refusal. */
  async #verify(
    request: IncomingMessage,
    path: string,
    token: string | undefined,
  ): Promise<string | Answer | undefined> {
    const proof = request.headers['dpop'];
    if (proof === undefined) return undefined;
    try {
      const { payload, protectedHeader } = await jwtVerify(String(proof), EmbeddedJWK, {
        typ: 'dpop+jwt',
        algorithms: ['ES256', 'EdDSA'],
      });
      const { jwk } = protectedHeader;
      const ath = token && createHash('sha256').update(token).digest('base64url');
      if (!jwk || 'd' in jwk) return refuseProof('proof-malformed');
      if (payload['htm'] !== request.method) return refuseProof('proof-for-another-method');
      if (payload['htu'] !== this.url + this.rewrite(path)) return refuseProof('proof-for-another-url');
      if (payload['ath'] !== ath) return refuseProof('proof-for-another-token');
      if (Math.abs(Date.now() / 1000 + this.ahead - (payload.iat ?? 0)) > 60 && payload['nonce'] !== NONCE) {
        return refuse(401, 'use_dpop_nonce', this.isNonceHidden ? {} : { 'DPoP-Nonce': NONCE });
      }
      if (this.#proofs.has(`${payload.jti}`)) return refuseProof('proof-replayed');
      this.#proofs.add(`${payload.jti}`);
      return await calculateJwkThumbprint(jwk);
    } catch {
      return refuseProof('proof-wrong-signature');
    }
  }
}
