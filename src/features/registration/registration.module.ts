import type { AuthModule } from '../../module.js';
import { createRegistrationController } from './registration.controller.js';
import { REGISTRATION_MAILS } from './registration.mails.js';
import { RegistrationService } from './registration.service.js';

/** Sign-up, unless users can only be invited. */
export const registrationModule: AuthModule = {
  name: 'registration',
  routes: ['registration'],
  mails: REGISTRATION_MAILS,
  create(kernel) {
    const { make, settings, http } = kernel;
    const registration = make(RegistrationService, kernel);
    if (settings.adminManagedRegistration) return {};
    return { controllers: [createRegistrationController({ ...kernel, registration }, http)] };
  },
};
