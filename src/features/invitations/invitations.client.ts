import type { ClientCalls, Names } from '../../client-calls.js';

/** The client's methods for this feature. */
export const invitationsMethods = ({ call }: ClientCalls) => ({
  /** Mails an invitation. The role is the inviter's own at most; REGISTRATION_ALLOWED_ROLES says who may invite. */
  invite: (person: { readonly email: string; readonly role: number } & Names) =>
    call<void>('POST', '/registration/user-register', { body: person, isBearer: true }),
});
