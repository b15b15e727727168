import type { AuthModule } from '../../module.js';
import { createInvitationController } from './invitation.controller.js';
import { InvitationService } from './invitation.service.js';
import { INVITATIONS_MAILS } from './invitations.mails.js';

/** Invitations (INVITATIONS). The mailed link leads to `password-by-mail`. */
export const invitationsModule: AuthModule = {
  name: 'invitations',
  mails: INVITATIONS_MAILS,
  create(kernel) {
    const { make, settings, http } = kernel;
    const invitation = make(InvitationService, kernel);
    return settings.invitations ? { controllers: [createInvitationController({ invitation }, http)] } : {};
  },
};
