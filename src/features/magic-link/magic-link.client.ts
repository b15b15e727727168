import type { ClientCalls } from '../../client-calls.js';

/** What a browser keeps between its request for a mail and the code of that mail. */
export interface MagicLinkRequest {
  /** Send it together with the code. It is worth nothing without the code, and the code nothing without it. */
  readonly request: string;
}

/** The endpoints of the module `jwt-allauth/magic-link`, for browsers and native apps. */
export const magicLinkCalls = ({ call }: ClientCalls) => ({
  /** Mails a link and a code to sign in. The answer does not reveal whether the address has an account. */
  magicLink: (email: string) => call<MagicLinkRequest>('POST', '/magic-link', { body: { email } }),

  /** Signs in with the code of the mail, in every tab. */
  signInByCode: (answer: MagicLinkRequest & { readonly code: string }) =>
    call<void>('POST', '/magic-link/verify', { body: answer, effect: 'sign-in' }),

  /** Signs in after the link was opened in this browser, on the page of MAGIC_LINK_REDIRECT. */
  signInByLink: () => call<void>('POST', '/magic-link/sign-in', { effect: 'sign-in', credentials: 'include' }),
});
