import type { ClientCalls } from '../../client-calls.js';

/** The client's methods for this feature. */
export const passwordMethods = ({ call }: ClientCalls) => ({
  /**
   * Changes the password. A new session replaces this one. Every other session of the user is revoked, unless
   * LOGOUT_ON_PASSWORD_CHANGE is false.
   */
  changePassword: (passwords: { readonly oldPassword?: string; readonly newPassword: string }) =>
    call<void>('POST', '/password/change', { body: passwords, isBearer: true, effect: 'sign-in' }),
});
