import type { ClientCalls } from '../../client-calls.js';

/** The client's methods for this feature. */
export const passwordByMailMethods = ({ call }: ClientCalls) => {
  const setPassword = (path: string) => (body: { readonly newPassword: string }) =>
    call<void>('POST', path, { body, effect: 'sign-in', credentials: 'include' });
  return {
    /** Mails a link to set a new password. The answer does not reveal whether the address has an account. */
    requestPasswordReset: (to: { readonly email: string }) => call<void>('POST', '/password/reset', { body: to }),

    /** Sets the password of the user whose reset link was opened in this browser, and signs in. */
    resetPassword: setPassword('/password/reset/set-new'),

    /** Sets the first password of the user whose invitation was opened in this browser, and signs in. */
    acceptInvitation: setPassword('/registration/set-password'),
  };
};
