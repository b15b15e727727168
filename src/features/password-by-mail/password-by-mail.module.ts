import { invitationFlow, type MailedPasswordFlow, passwordResetFlow } from '../../http/mailed-password-flow.js';
import type { AuthModule } from '../../module.js';
import { createMailedPasswordController } from './mailed-password.controller.js';
import { PasswordByMail } from './password-by-mail.js';
import { PASSWORD_BY_MAIL_MAILS } from './password-by-mail.mails.js';
import { createPasswordResetController } from './password-reset.controller.js';
import { PasswordResetService } from './password-reset.service.js';
import { PasswordSetter } from './password-setter.service.js';

/** A password set by a mailed link: after a reset, and where there are invitations after one. */
export const passwordByMailModule: AuthModule = {
  name: 'password-by-mail',
  mails: PASSWORD_BY_MAIL_MAILS,
  create(kernel) {
    const { make, settings, http } = kernel;
    const passwordReset = make(PasswordResetService, kernel);
    const passwordSetter = make(PasswordSetter, kernel);
    const { links } = http;
    if (!links) return {};
    const byMail = (flow: MailedPasswordFlow) =>
      createMailedPasswordController(new PasswordByMail({ ...kernel, passwordSetter }, flow, links), flow, links);
    return {
      controllers: [
        createPasswordResetController({ passwordReset }, links),
        byMail(passwordResetFlow(settings)),
        ...(settings.invitations ? [byMail(invitationFlow(settings))] : []),
      ],
    };
  },
};
