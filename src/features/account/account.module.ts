import type { AuthModule } from '../../module.js';
import { ACCOUNT_MAILS } from './account.mails.js';
import { createAccountDeletionController } from './account-deletion.controller.js';
import { AccountDeletionService } from './account-deletion.service.js';
import { ACCOUNT_ERRORS } from './account-errors.js';
import { createProfileController } from './profile.controller.js';
import { ProfileService } from './profile.service.js';

/** The user's profile and the deletion of the account. */
export const accountModule: AuthModule = {
  name: 'account',
  routes: ['profile', 'accountDeletion'],
  mails: ACCOUNT_MAILS,
  errors: ACCOUNT_ERRORS,
  create(kernel) {
    const { make, http } = kernel;
    const profile = make(ProfileService, kernel);
    const accountDeletion = make(AccountDeletionService, kernel);
    return {
      controllers: [
        createProfileController({ ...kernel, profile }, http),
        createAccountDeletionController({ accountDeletion }, http),
      ],
    };
  },
};
