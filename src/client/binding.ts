import type { Fetch } from './bound-fetch.js';
import { dpopProof } from './dpop-proof.js';
import type { KeyPlace, ProofKey } from './key-place.js';
import { isSameKey, type KeyRing, type Keys, keyRingIn } from './key-ring.js';
import { storedKeys } from './stored-keys.js';

/** The codes of answers that refuse a proof, or its absence. Such a request has changed nothing at the server. */
const REFUSALS = ['dpop_proof_invalid', 'use_dpop_nonce', 'dpop_proof_missing'];

/** How long a nonce is used, in milliseconds: less than the server accepts it, because it refuses an expired one. */
const NONCE_MS = 240_000;

/** The members of answers that matter here. */
interface Body {
  readonly code?: string;
  /** What is wrong with the proof, for `dpop_proof_invalid`. */
  readonly reason?: string;
  readonly access?: string;
  readonly token_type?: string;
}

/** An answer, its body, and the key of the proof that was sent. */
interface Attempt {
  readonly answer: Response;
  readonly body: Body;
  readonly key: ProofKey | undefined;
}

/**
 * A `fetch` that binds sessions to a key of this client (RFC 9449, DPoP). It adds a proof to each POST to the server,
 * and to each request with an access token that is bound as well. Without a key it sends the request as it is.
 *
 * @param url the URL of the server's endpoints
 * @param keys the app's place for keys; true for the browser's storage
 */
export function binding(fetch: Fetch, url: string, keys: KeyPlace | true): Fetch {
  const ring = keys === true ? storedKeys(url) : keyRingIn(keys);
  if (!ring) return fetch;
  const bound = new Binding(fetch, url, ring);
  return (request) => bound.send(request);
}

class Binding {
  readonly #fetch: Fetch;
  readonly #url: string;
  readonly #ring: KeyRing;
  /** The latest nonce, for a machine whose clock is wrong, the origin that sent it, and when it arrived. */
  #nonce: { readonly text: string; readonly from: string; readonly at: number } | undefined;
  /** The access token that was sent or received last, and its key if it needs a proof. */
  #token: { readonly text: string; readonly key: ProofKey | undefined } | undefined;
  /** Whether the server has refused proofs, and has accepted the same request without one. */
  #isRefusing = false;

  constructor(fetch: Fetch, url: string, ring: KeyRing) {
    this.#fetch = fetch;
    this.#url = url;
    this.#ring = ring;
  }

  async send(request: Request): Promise<Response> {
    const { method, url, headers } = request;
    const [, token] = /^Bearer (.+)/.exec(headers.get('Authorization') ?? '') ?? [];
    const path = url.startsWith(`${this.#url}/`) ? url.slice(this.#url.length).replace(/[?#].*/, '') : '';
    const isSignOut = ['POST /logout', 'POST /logout-all', 'DELETE /user'].includes(`${method} ${path}`);
    const isPost = path && method === 'POST' && path !== '/logout';
    const answer = await (isPost ? this.#post(request, path, token) : this.#other(request, token));
    if (isSignOut && (answer.ok || answer.status === 401)) await this.#change(() => ({}));
    return answer;
  }

  /** Sends a POST to an endpoint with a proof, and without one if the server refuses the proofs of all keys. */
  async #post(request: Request, path: string, token: string | undefined): Promise<Response> {
    let failure: unknown;
    const keys = await this.#ring.read().catch((error) => {
      failure = error;
    });
    const candidates = keys ? await this.#candidates(keys, path, token) : [];
    const bound = token && (await this.#keyOf(token)) && token;
    let refused: Response | undefined;
    /** The refusal of a proof whose key may be that of the session. */
    let undecided: Response | undefined;
    /** A key whose proof is right, but which is not the key of the session. */
    let foreign: ProofKey | undefined;
    for (const key of this.#isRefusing ? [undefined, ...candidates] : [...candidates, undefined]) {
      if (foreign && (!key || isSameKey(key, foreign))) continue; // the answer would be the same
      const attempt = await this.#attempt(request, key, { token: bound, isEndpoint: true }).catch((error) => {
        if (!(error instanceof UnusableKey)) throw error;
        failure = error.cause;
      });
      if (!attempt) continue;
      if (!REFUSALS.includes(attempt.body.code ?? '')) {
        this.#isRefusing ||= Boolean(refused) && !key;
        await this.#learn(attempt, path, keys ?? {}, Boolean(bound && key));
        return attempt.answer;
      }
      const { reason } = attempt.body;
      if (reason === 'proof-of-another-key') foreign = key;
      else if (key && reason) undecided ??= attempt.answer;
      refused ??= attempt.answer;
    }
    // A key that cannot be used now may be usable later, so the session must not end.
    if (failure && path === '/refresh') throw failure;
    if (!undecided || path !== '/refresh') return refused as Response;
    // With 401 the user would be signed out. But the same key works again after a correction of the server or a proxy.
    return new Response(await undecided.text(), { status: 400, headers: undecided.headers });
  }

  /** Sends any other request, with a proof if its access token needs one. */
  async #other(request: Request, token: string | undefined): Promise<Response> {
    const key = token && (await this.#keyOf(token));
    return key ? (await this.#attempt(request, key, { token })).answer : this.#fetch(request);
  }

  /** The keys to try, in this order. */
  async #candidates({ current, next }: Keys, path: string, token: string | undefined): Promise<ProofKey[]> {
    const isSignIn = !token && path !== '/refresh';
    const first = (!isSignIn && current) || next || (token ? undefined : await this.#newKey(isSignIn));
    // If the page was closed during a sign-in, `next` is the key of the session. Otherwise a new proof of the same key
    // may help, because a network that repeats a request by itself has used up the first one.
    return first ? [first, (!isSignIn && next) || first] : [];
  }

  /** Keeps a new key, unless another tab was faster. Undefined if it cannot be kept. */
  async #newKey(isSignIn: boolean): Promise<ProofKey | undefined> {
    const keyIn = ({ current, next }: Keys) => (!isSignIn && current) || next;
    try {
      const made = await this.#ring.create();
      return keyIn(await this.#ring.update((keys) => (keyIn(keys) ? keys : { ...keys, next: made })));
    } catch {
      return undefined;
    }
  }

  /** Sends a request with a proof, once more if the server wants its nonce in the proof. @throws UnusableKey */
  async #attempt(
    request: Request,
    key: ProofKey | undefined,
    { token, isEndpoint }: { readonly token: string | undefined; readonly isEndpoint?: boolean },
  ): Promise<Attempt> {
    for (let isRepeated = false; ; isRepeated = true) {
      const outgoing = request.clone();
      if (key) {
        const { method, url } = request;
        const { text, from, at = 0 } = this.#nonce ?? {};
        const nonce = from === originOf(url) && Math.abs(Date.now() - at) < NONCE_MS ? text : undefined;
        const proof = await dpopProof(key, { method, url, token, nonce }).catch((cause) => {
          throw new UnusableKey('The key cannot sign.', { cause });
        });
        outgoing.headers.set('DPoP', proof);
        if (token) outgoing.headers.set('Authorization', `DPoP ${token}`);
      }
      const answer = await this.#fetch(outgoing);
      const isRead = [400, 401].includes(answer.status) || (isEndpoint && answer.ok);
      const body = isRead ? ((await answer.clone().json().catch(ignore)) as Body | undefined) : undefined;
      const nonce = answer.headers.get('DPoP-Nonce');
      if (nonce) this.#nonce = { text: nonce, from: originOf(request.url), at: Date.now() };
      if (isRepeated || !nonce || !key || body?.code !== 'use_dpop_nonce') return { answer, body: body ?? {}, key };
    }
  }

  /**
   * Draws the conclusions from an answer to a POST that does not refuse the proof.
   *
   * @param wasTokenBound whether the access token of the request was sent with the proof. If so, a new one is bound too
   */
  async #learn({ answer, body, key }: Attempt, path: string, keys: Keys, wasTokenBound: boolean): Promise<void> {
    const { code, access, token_type: type } = body;
    const isTokenBound = wasTokenBound || type === 'DPoP';
    if (access) {
      this.#token = { text: access, key: isTokenBound ? key : undefined };
      if (!key || (isSameKey(key, keys.current) && isTokenBound === Boolean(keys.isTokenBound))) return;
      await this.#change((now) => ({
        ...(isSameKey(key, now.next) || !now.current ? { current: key } : now),
        isTokenBound,
      }));
    } else if (path === '/refresh' && answer.status === 401 && code && !/_required$/.test(code)) {
      await this.#change((now) => (isSameKey(key, now.current) ? { next: now.next } : now)); // the session has ended
    }
  }

  /** The key with which this access token must be sent; undefined if it is a bearer token. */
  async #keyOf(text: string): Promise<ProofKey | undefined> {
    if (this.#token?.text !== text) {
      const { current, isTokenBound }: Keys = await this.#ring.read().catch(() => ({}));
      this.#token = { text, key: isTokenBound ? current : undefined };
    }
    return this.#token.key;
  }

  /** Changes the kept keys. If that fails, the old ones still work: `next` is tried after `current`. */
  async #change(change: (keys: Keys) => Keys): Promise<void> {
    await this.#ring.update(change).catch(ignore);
  }
}

/** A key did not sign. The `cause` has its error. */
class UnusableKey extends Error {}

/** The origin of an absolute URL. In React Native, URL has no `origin`. */
const originOf = (url: string) => url.split('/', 3).join('/');

const ignore = () => {};
