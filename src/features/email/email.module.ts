import type { AuthModule } from '../../module.js';
import { EMAIL_MAILS } from './email.mails.js';
import { createEmailChangeController } from './email-change.controller.js';
import { EmailChangeService } from './email-change.service.js';
import { createEmailUndoController } from './email-undo.controller.js';
import { EmailUndoService } from './email-undo.service.js';
import { EmailUndoForm } from './email-undo-form.js';
import { createEmailVerificationController } from './email-verification.controller.js';
import { EmailVerificationService } from './email-verification.service.js';

/** E-mail addresses: confirmation, change and undo. The routes need PUBLIC_URL, from which links are built. */
export const emailModule: AuthModule = {
  name: 'email',
  routes: ['emailChange'],
  mails: EMAIL_MAILS,
  create(kernel) {
    const { make, http } = kernel;
    const emailUndo = make(EmailUndoService, kernel);
    const emailVerification = make(EmailVerificationService, { ...kernel, emailUndo });
    const emailChange = make(EmailChangeService, kernel);
    const { links } = http;
    if (!links) return {};
    return {
      controllers: [
        createEmailVerificationController({ emailVerification }, links),
        createEmailChangeController({ emailChange }, links),
        createEmailUndoController(new EmailUndoForm({ emailUndo }, links), links),
      ],
    };
  },
};
