import type { Settings } from '../settings/settings.js';
import { accountOperations } from './account-operations.js';
import type { AuthOperation } from './auth-operation.js';
import { mailOperations } from './mail-operations.js';
import { sessionOperations } from './session-operations.js';
import { signInOperations } from './sign-in-operations.js';

/** All our routes, by method and path below the prefix. */
export function ownOperations(settings: Settings): Readonly<Record<string, AuthOperation>> {
  return {
    ...signInOperations(settings),
    ...sessionOperations(settings),
    ...accountOperations(settings),
    ...mailOperations(settings),
  };
}
