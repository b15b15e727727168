import type { ClientCalls, Names } from '../../client-calls.js';

/** The client's methods for this feature. */
export const invitationsMethods = ({ call }: ClientCalls) => ({
  /**
   * Mails an invitation. The role must not be higher than the inviter's; REGISTRATION_ALLOWED_ROLES lists the roles
   * that may invite.
   */
  invite: (person: { readonly email: string; readonly role: number } & Names) =>
    call<void>('POST', '/registration/user-register', { body: person, isBearer: true }),
});
