import type { ClientCalls } from '../../client-calls.js';

/** The client's methods for this feature. */
export const logoutMethods = ({ call }: ClientCalls) => ({
  /** Signs the user out on every device. */
  logoutAll: () => call<void>('POST', '/logout-all', { isBearer: true, effect: 'sign-out' }),
});
