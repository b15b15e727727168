import type { ClientCalls, Names } from '../../client-calls.js';

/** What users see of their account. */
export interface UserProfile {
  readonly id: string;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly role: number;
  readonly emailVerified: boolean;
}

/** The client's methods for this feature. */
export const accountMethods = <Fields>({ call }: ClientCalls) => ({
  /** Gets the account. The claims of `state` are there without a request. */
  getUser: () => call<UserProfile & Fields>('GET', '/user', { isBearer: true }),

  /** Changes what is given, and leaves the rest. */
  updateUser: (changes: Names & Partial<Fields>) =>
    call<UserProfile & Fields>('PATCH', '/user', { body: changes, isBearer: true }),

  /** Deletes the account and all it owns. */
  deleteUser: (proof: { readonly password: string }) =>
    call<void>('DELETE', '/user', { body: proof, isBearer: true, effect: 'sign-out' }),
});
