import type { ClientCalls } from '../../client-calls.js';

/** The client's methods for this feature. */
export const passwordMethods = ({ call }: ClientCalls) => ({
  /** Changes the password. Every other session of the user is revoked; this one is replaced by a new one. */
  changePassword: (passwords: { readonly oldPassword?: string; readonly newPassword: string }) =>
    call<void>('POST', '/password/change', { body: passwords, isBearer: true, effect: 'sign-in' }),
});
