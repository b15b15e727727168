import type { ClientCalls } from '../client-calls.js';
import { socialCalls } from '../features/social/social.client.js';
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

/** The key of the mark that this tab has begun a sign-in. */
const MARK = 'jwt-allauth sign-in';

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

  const go = (url: string) => {
    page.sessionStorage.setItem(MARK, '1');
    page.location.assign(url);
  };

  /**
   * The URL that begins a sign-in, for the browser of a native app, which must give `returnTo`. Afterwards, pass the
   * `code` of the fragment to `social.exchange`.
   */
  const signInUrl = (provider: string, { returnTo = here() }: ReturnOptions = {}): string => {
    const { url, headers } = client.request('GET', `/social/${provider}`, {});
    const transport = headers.get('Auth-Transport');
    return `${url}?returnTo=${encodeURIComponent(returnTo)}${transport ? `&transport=${transport}` : ''}`;
  };

  return {
    signInUrl,

    /** Leaves the page for the provider. The page to which the browser returns calls `finishSignIn`. */
    signInWith: (provider: string, options?: ReturnOptions): void => go(signInUrl(provider, options)),

    /**
     * Completes what `signInWith` or `social.connect` began in this tab. Call it when the page starts, before
     * `restore`. It removes what the server has added to the URL.
     *
     * @returns whether a sign-in or a connection has begun in this tab. If the user has cancelled it with the back
     * button, the result is true as well: `state` says whether the user is signed in
     * @throws AuthError with code and status of the server; `second_factor_required` has the `challenge`, as for
     * `login`
     */
    finishSignIn: async (): Promise<boolean> => {
      // A link of somebody else must not sign the user in to another account.
      if (!page.sessionStorage.getItem(MARK)) return false;
      page.sessionStorage.removeItem(MARK);
      const { href } = page.location;
      const refusal = refusalIn(href);
      const code = new URLSearchParams(new URL(href).hash.slice(1)).get('code');
      if (code || refusal) page.history.replaceState(page.history.state, '', here());
      if (refusal) throw refusal;
      await (code ? calls.exchange(code) : client.refresh());
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
        go(url);
      },
    },
  };
};
