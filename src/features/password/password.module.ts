import type { AuthModule } from '../../module.js';
import { createLoginController } from './login.controller.js';
import { LoginService } from './login.service.js';
import { PASSWORD_MAILS } from './password.mails.js';
import { createPasswordChangeController } from './password-change.controller.js';
import { PasswordChangeService } from './password-change.service.js';

/** Sign-in with a password, and the password change. */
export const passwordModule: AuthModule = {
  name: 'password',
  routes: ['login', 'passwordChange'],
  mails: PASSWORD_MAILS,
  create(kernel) {
    const { make, http } = kernel;
    const login = make(LoginService, kernel);
    const passwordChange = make(PasswordChangeService, kernel);
    return {
      controllers: [createLoginController({ login }, http), createPasswordChangeController({ passwordChange }, http)],
    };
  },
};
