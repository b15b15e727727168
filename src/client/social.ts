import type { ClientCalls } from '../client-calls.js';
import { socialCalls } from '../features/social/social.client.js';
import { AuthError } from './auth-error.js';
import { refusalIn } from './refusal-in-url.js';

/** Where the browser goes after the sign-in. */
export interface ReturnOptions {
  /** A URL that SOCIAL_RETURN_URLS allows. Default: this page, without its fragment and its parameter `error`. */
  readonly returnTo?: string;
}

/** Globals of browsers. */
interface Page {
  readonly location: { readonly href: string; assign(url: string): void };
  readonly history: { readonly state: unknown; replaceState(state: unknown, unused: string, url: string): void };
  readonly sessionStorage: {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
    removeItem(key: string): void;
  };
}

/** How a sign-in begins. */
export interface SignInOptions extends ReturnOptions {
  /**
   * Binds the code to this client: the S256 of a random verifier (RFC 7636 §4.2), which `social.exchange` then needs.
   * For native apps: `signInWith` makes one itself.
   */
  readonly challenge?: string;
}

/** The key of the mark that this tab has begun a sign-in. */
const MARK = 'jwt-allauth sign-in';

/** The mark of a tab to which no code returns: with a cookie, and after the connection of an account. */
const NO_CODE = '0';

/** The mark of a tab whose code needs no verifier. Any other mark is the verifier. */
const NO_VERIFIER = '1';

/** Makes a verifier and its challenge. Empty without TLS, where browsers cannot compute a challenge. */
async function createVerifier(): Promise<{ readonly verifier?: string; readonly challenge?: string }> {
  if (!globalThis.crypto?.subtle) return {};
  const verifier = base64url(crypto.getRandomValues(new Uint8Array(32)));
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(verifier));
  return { verifier, challenge: base64url(new Uint8Array(hash)) };
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/[+/=]/g, (each) => ({ '+': '-', '/': '_' })[each] ?? '');
}

/** The methods of the module `jwt-allauth/social`: `new AuthClient().extend(socialMethods)`. */
export const socialMethods = (client: ClientCalls) => {
  const page = globalThis as unknown as Page;
  const calls = socialCalls(client);

  /** This page as it was before the server added its parameters. */
  const here = () => {
    const url = new URL(page.location.href);
    url.hash = '';
    url.searchParams.delete('error');
    return url.href;
  };

  const go = (url: string, mark: string) => {
    page.sessionStorage.setItem(MARK, mark);
    page.location.assign(url);
  };

  /** Finds out whether a user is signed in despite the error, and then rejects. */
  const fail = async (error: unknown): Promise<never> => {
    if (client.state.status === 'unknown') await client.refresh().catch(() => {});
    throw error;
  };

  const transport = () => client.request('GET', '/social/providers', {}).headers.get('Auth-Transport');

  /**
   * The URL that begins a sign-in, for the browser of a native app, which must give `returnTo`. Afterwards, pass the
   * `code` of the fragment to `social.exchange`.
   */
  const signInUrl = (provider: string, { returnTo = here(), challenge }: SignInOptions = {}): string => {
    const { url } = client.request('GET', `/social/${provider}`, {});
    const parameters = { transport: transport(), exchange_challenge: challenge };
    const given = Object.entries(parameters).map(([name, value]) => (value ? `&${name}=${value}` : ''));
    return `${url}?returnTo=${encodeURIComponent(returnTo)}${given.join('')}`;
  };

  return {
    signInUrl,

    /** Leaves the page for the provider. The page to which the browser returns calls `finishSignIn`. */
    signInWith: async (provider: string, options?: ReturnOptions): Promise<void> => {
      if (transport() !== 'body') return go(signInUrl(provider, options), NO_CODE);
      const url = signInUrl(provider, options); // of the page as it is now
      const { verifier = NO_VERIFIER, challenge } = await createVerifier();
      go(challenge ? `${url}&exchange_challenge=${challenge}` : url, verifier);
    },

    /**
     * Completes what `signInWith` or `social.connect` began in this tab. Call it when the page starts, before
     * `restore`. It removes what the server has added to the URL.
     *
     * @returns whether a sign-in or a connection has begun in this tab. If the user has cancelled it with the back
     * button, the result is true as well. `state` says whether the user is signed in, also after an error
     * @throws AuthError with code and status of the server; `second_factor_required` has the `challenge`, as for
     * `login`. `cookie_not_kept` if the server has signed the user in, but the browser sends no cookie
     */
    finishSignIn: async (): Promise<boolean> => {
      // A link from a stranger must not sign the user in to another account.
      const mark = page.sessionStorage.getItem(MARK);
      if (!mark) return false;
      page.sessionStorage.removeItem(MARK);
      const { href } = page.location;
      const refusal = refusalIn(href);
      const parameters = new URLSearchParams(new URL(href).hash.slice(1));
      const code = parameters.get('code');
      const isSignedIn = parameters.get('status') === '200'; // the server adds it for pages of another origin
      if (code || refusal || isSignedIn) page.history.replaceState(page.history.state, '', here());
      if (refusal) return fail(refusal);
      const verifier = mark === NO_VERIFIER ? undefined : mark;
      // A code that this tab does not wait for comes from another sign-in.
      if (code && mark !== NO_CODE) await calls.exchange(code, verifier).catch(fail);
      else await client.refresh();
      if (isSignedIn && client.state.status === 'signed-out')
        throw new AuthError('cookie_not_kept', 400, 'The browser refused the cookie.');
      return true;
    },

    social: {
      ...calls,

      /** Leaves the page to connect an account of a provider to the signed-in user. It needs a recent proof. */
      connect: async (provider: string, { returnTo = here() }: ReturnOptions = {}): Promise<void> => {
        const { url } = await client.call<{ readonly url: string }>('POST', `/social/${provider}/connect`, {
          body: { returnTo },
          isBearer: true,
          credentials: 'include',
        });
        go(url, NO_CODE);
      },
    },
  };
};
