import type { AuthModule } from '../../module.js';
import { createRefreshController } from './refresh.controller.js';

/** The trade of a refresh token for its successor. */
export const refreshModule: AuthModule = {
  name: 'refresh',
  create: (kernel) => ({ controllers: [createRefreshController(kernel, kernel.http)] }),
};
