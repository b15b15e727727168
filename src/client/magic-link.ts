import type { ClientCalls } from '../client-calls.js';
import { magicLinkCalls } from '../features/magic-link/magic-link.client.js';
import { refusalIn } from './refusal-in-url.js';

/** Globals of browsers. */
interface Page {
  readonly location: { readonly href: string };
  readonly history: { readonly state: unknown; replaceState(state: unknown, unused: string, url: string): void };
}

/** The methods of the module `jwt-allauth/magic-link`: `new AuthClient().extend(magicLinkMethods)`. */
export const magicLinkMethods = (client: ClientCalls) => ({
  ...magicLinkCalls(client),

  /**
   * Completes a sign-in on the built-in page. Call it when the page of MAGIC_LINK_DONE_REDIRECT starts, before
   * `restore`. It removes what the server has added to the URL.
   *
   * @throws AuthError `second_factor_required` with the `challenge`, as for `login`
   */
  finishLink: async (): Promise<void> => {
    const { location, history } = globalThis as unknown as Page;
    const refusal = refusalIn(location.href);
    if (!refusal?.challenge) return;
    const url = new URL(location.href);
    url.hash = '';
    history.replaceState(history.state, '', url.href);
    throw refusal;
  },
});
