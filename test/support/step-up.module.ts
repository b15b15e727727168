import { CurrentUser, Get } from 'routing-controllers';
import { SessionPrincipal } from '../../src/authentication/session-principal.js';
import { createAuthEntities } from '../../src/index.js';
import {
  AuthController,
  type AuthKernel,
  type AuthModule,
  authError,
  DescribeRoute,
  type ReAuthentication,
} from '../../src/module-kit.js';
import { AppUser, Organization } from './users.js';

/** The code that the test's second factor accepts. */
export const CODE = '123456';

/** How often a code was checked. */
export const checkedCodes: string[] = [];

/** The kernel of the app that was created last. */
export let kernel: AuthKernel;

/** A second factor, a re-authentication with it and one with an object, and a route that needs a fresh session. */
export const stepUpModule: AuthModule = {
  name: 'step-up',
  create(own) {
    kernel = own;
    const { http } = own;
    const codes: ReAuthentication = {
      member: 'code',
      amr: ['otp', 'mfa'],
      check: async (_caller, code) => {
        checkedCodes.push(code);
        if (code !== CODE) throw authError('incorrect_credentials');
      },
    };
    const credentials: ReAuthentication<{ readonly id: string }> = {
      member: 'credential',
      amr: ['hwk', 'user', 'mfa'],
      schema: { type: 'object' },
      isProof: (value) => typeof (value as { id?: unknown } | null)?.id === 'string',
      check: async (_caller, { id }) => {
        if (id !== CODE) throw authError('incorrect_credentials');
      },
    };

    @AuthController(http.prefix, { isBearer: true })
    class FreshController {
      @Get('/fresh')
      @DescribeRoute({ id: 'fresh', tag: 'Test', summary: 'Needs a fresh session', isFresh: true, answers: {} })
      async fresh(@CurrentUser() principal: SessionPrincipal) {
        await own.freshness.assert(principal.claims);
        return own.database.transaction(async (em) => {
          await own.freshness.assert(principal.claims, em);
          return { ran: 'fresh' };
        });
      }
    }
    return {
      controllers: [FreshController],
      secondFactors: [
        {
          name: 'totp',
          isAlwaysAsked: true,
          limits: [],
          methodsOf: async () => ['totp'],
          removeSince: async () => {},
        },
      ],
      reAuthentications: [codes, credentials],
    };
  },
};

/** The entities of an app with the module. */
export const STEP_UP_ENTITIES = [
  AppUser,
  Organization,
  ...createAuthEntities({ user: () => AppUser, modules: [stepUpModule] }),
];
