import type { ClientCalls, Names } from '../../client-calls.js';

/** The client's methods for this feature. */
export const registrationMethods = <Fields>({ call }: ClientCalls) => ({
  /** Signs up. @returns `signed-in`, or `confirmation-mailed` if the address has to be confirmed first */
  register: async (account: { readonly email: string; readonly password: string } & Names & Fields) => {
    const { access } = await call<{ readonly access?: string }>('POST', '/registration', {
      body: account,
      effect: 'sign-in',
    });
    return access ? 'signed-in' : 'confirmation-mailed';
  },
});
