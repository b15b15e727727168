import type { ClientCalls } from '../client-calls.js';
import { accountMethods } from '../features/account/account.client.js';
import { devicesMethods } from '../features/devices/devices.client.js';
import { passwordMethods } from '../features/password/password.client.js';

/** The methods of `AuthClient` that belong to the standard features. */
export type StandardMethods<Fields> = ReturnType<typeof standardMethods<Fields>>;

/** @typeParam Fields the fields that the app adds to sign-up and profile */
export const standardMethods = <Fields>(calls: ClientCalls) => ({
  ...accountMethods<Fields>(calls),
  ...devicesMethods(calls),
  ...passwordMethods(calls),
});
