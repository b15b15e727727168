import type { ClientCalls } from '../client-calls.js';
import { emailMethods } from '../features/email/email.client.js';
import { invitationsMethods } from '../features/invitations/invitations.client.js';
import { passwordByMailMethods } from '../features/password-by-mail/password-by-mail.client.js';

/** Methods for what a server with mail offers: `new AuthClient().extend(mailMethods)`. */
export const mailMethods = (calls: ClientCalls) => ({
  ...emailMethods(calls),
  ...invitationsMethods(calls),
  ...passwordByMailMethods(calls),
});
