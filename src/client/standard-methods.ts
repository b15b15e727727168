import type { ClientCalls } from '../client-calls.js';
import { accountMethods } from '../features/account/account.client.js';
import { devicesMethods } from '../features/devices/devices.client.js';
import { emailMethods } from '../features/email/email.client.js';
import { invitationsMethods } from '../features/invitations/invitations.client.js';
import { jwksMethods } from '../features/jwks/jwks.client.js';
import { logoutMethods } from '../features/logout/logout.client.js';
import { passwordMethods } from '../features/password/password.client.js';
import { passwordByMailMethods } from '../features/password-by-mail/password-by-mail.client.js';
import { registrationMethods } from '../features/registration/registration.client.js';

/** The methods of `AuthClient` that belong to the standard features. */
export type StandardMethods<Fields> = ReturnType<typeof standardMethods<Fields>>;

/** @typeParam Fields the fields that the app adds to sign-up and profile */
export const standardMethods = <Fields>(calls: ClientCalls) => ({
  ...accountMethods<Fields>(calls),
  ...devicesMethods(calls),
  ...emailMethods(calls),
  ...invitationsMethods(calls),
  ...jwksMethods(calls),
  ...logoutMethods(calls),
  ...passwordMethods(calls),
  ...passwordByMailMethods(calls),
  ...registrationMethods<Fields>(calls),
});
