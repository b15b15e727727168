/** @typedef {import('./request.js').Client} Client */

/**
 * Decides which sessions are bound to a key of this browser. `AuthClient` binds all of them by itself. Only this demo
 * also wants sessions without a key, to show their theft: then it removes the proofs from the client's requests.
 */
export class SessionKind {
  /** The client that sends the requests. @type {Client | undefined} */
  client = undefined;
  /** Whether the next sign-in, or the session of the cookie, has a key. */
  isBound;

  /** @param {{ isCookie: boolean, isDevelopment: boolean, dpop: string, isBound: boolean }} settings */
  constructor({ isCookie, isDevelopment, dpop, isBound }) {
    /** Whether sessions can have a key, and whether they can have none. */
    this.allowed = { bound: dpop !== 'off', unbound: dpop !== 'required' };
    const hasStory = isCookie && isDevelopment;
    /** Whether a visitor can have both kinds of sessions. */
    this.canChoose = hasStory && dpop === 'optional';
    this.isBound = isBound || (this.allowed.bound && !this.canChoose);
  }

  /**
   * The `fetch` of the client.
   *
   * @param {Request} request
   * @returns {Promise<Response>}
   */
  fetch = (request) => {
    const isSignIn = !request.headers.has('Authorization') && !/\/refresh(\?|$)/.test(request.url);
    if (!(isSignIn ? this.isBound : this.#isSessionBound)) request.headers.delete('DPoP');
    return fetch(request);
  };

  /** A page that has just been opened does not know its session yet. */
  get #isSessionBound() {
    const state = this.client?.state;
    return state?.status === 'signed-in' ? 'cnf' in state.claims : this.isBound;
  }
}
