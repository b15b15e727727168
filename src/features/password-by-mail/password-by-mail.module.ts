import { invitationFlow, type MailedPasswordFlow, passwordResetFlow } from '../../http/mailed-password-flow.js';
import type { AuthModule } from '../../module.js';
import { createMailedPasswordController, createPasswordResetController } from './password-by-mail.controller.js';
import { PASSWORD_BY_MAIL_MAILS } from './password-by-mail.mails.js';
import { PasswordByMailService } from './password-by-mail.service.js';
import { PasswordForm } from './password-form.js';

/** Sets passwords by mailed links: after a reset and, if they are enabled, after an invitation. */
export const passwordByMailModule: AuthModule = {
  name: 'password-by-mail',
  routes: ['passwordReset'],
  mails: PASSWORD_BY_MAIL_MAILS,
  create(kernel) {
    const { make, settings, http } = kernel;
    const passwordByMail = make(PasswordByMailService, kernel);
    const { links } = http;
    if (!links) return {};
    const byLink = (flow: MailedPasswordFlow) =>
      createMailedPasswordController(new PasswordForm({ ...kernel, passwordByMail }, flow, links), flow, links);
    return {
      controllers: [
        createPasswordResetController({ passwordByMail }, links),
        byLink(passwordResetFlow(settings)),
        ...(settings.invitations ? [byLink(invitationFlow(settings))] : []),
      ],
      signInMethods: [{ name: 'mail', route: 'passwordReset', isUsableBy: async ({ emailVerified }) => emailVerified }],
    };
  },
};
