import type { ClientCalls, Names } from '../../client-calls.js';

/** The profile of a user. */
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
  /** Gets the profile. For the claims in `state` no request is needed. */
  getUser: () => call<UserProfile & Fields>('GET', '/user', { isBearer: true }),

  /** Changes the given properties and keeps the others. */
  updateUser: (changes: Names & Partial<Fields>) =>
    call<UserProfile & Fields>('PATCH', '/user', { body: changes, isBearer: true }),

  /** Deletes the account and its data. Needs the password, or a fresh session of a user without one. */
  deleteUser: (proof: { readonly password?: string } = {}) =>
    call<void>('DELETE', '/user', { body: proof, isBearer: true, effect: 'sign-out' }),
});
