import type { ClientCalls } from '../../client-calls.js';

/** The client's methods for this feature. */
export const emailMethods = ({ call }: ClientCalls) => ({
  /** Mails the confirmation link again. The answer does not reveal whether the address has an account. */
  resendVerification: (to: { readonly email: string }) =>
    call<void>('POST', '/registration/verification/resend', { body: to }),

  /** Mails a link to the new address. It becomes the user's when the link is opened. */
  changeEmail: (to: { readonly email: string; readonly password?: string }) =>
    call<void>('POST', '/email/change', { body: to, isBearer: true }),
});
