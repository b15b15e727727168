import { defineEntity, p } from '@mikro-orm/postgresql';
import type { AuthKernel, AuthModule } from '../../src/module-kit.js';

/** What a test does in the middle of a completion. */
export interface PinsOptions {
  readonly duringCompletion?: () => Promise<void>;
}

/** A module with a method to sign in: a user who has a pin. A completion stores the pin. */
export function pinsModule({ duringCompletion }: PinsOptions = {}): AuthModule {
  return {
    name: 'pins',
    routes: ['pins'],
    entities: (user) => [
      defineEntity({
        name: 'TestPin',
        tableName: 'test_pin',
        properties: {
          user: () => p.manyToOne(user()).deleteRule('cascade').primary(),
          pin: p.string().primary(),
          setAt: p.datetime(3).defaultRaw('now()'),
        },
      }),
    ],
    create(kernel) {
      const { database, accounts } = kernel;
      return {
        api: { pins: { kernel } },
        signInMethods: [
          {
            name: 'pin',
            route: 'pins',
            isUsableBy: async ({ id }, em) =>
              (await database.query('select 1 from test_pin where user_id = $1', [id], em)).length > 0,
            removeSince: async (user, since, em) => {
              await database.query('delete from test_pin where user_id = $1 and set_at >= $2', [user, since], em);
            },
          },
        ],
        completions: {
          pin: async (user, { pin }, em) => {
            await database.query('insert into test_pin (user_id, pin) values ($1, $2)', [user, pin], em);
            await accounts.recordCredentialChange(user, em);
            await duringCompletion?.();
          },
        },
      };
    },
  };
}

/** The library's services of an app with the module. */
export const kernelOf = (auth: object): AuthKernel =>
  (auth as { readonly pins: { readonly kernel: AuthKernel } }).pins.kernel;
