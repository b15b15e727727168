import { defineEntity, type EntityManager, p } from '@mikro-orm/postgresql';
import { IsOptional, IsString } from 'class-validator';
import { Body, HttpCode, Post, Req, Res } from 'routing-controllers';
import { createAuthEntities, type JwtAllauth } from '../../src/index.js';
import {
  AuthController,
  type AuthKernel,
  type AuthModule,
  DescribeRoute,
  errorsOf,
  type HttpRequest,
  type HttpResponse,
  type SecondFactor,
  type SecondFactorProof,
  validateInput,
} from '../../src/module-kit.js';
import type { UserId } from '../../src/users/base-user.entity.js';
import { AppUser, Organization } from './users.js';

/** Options of the module: those of its second factor, and what a test runs during the check of a code. */
export interface CodesOptions extends Partial<Pick<SecondFactor, 'name' | 'isAlwaysAsked' | 'limits'>> {
  /** Every user must have a second factor. */
  readonly isRequired?: boolean;
  /** Runs after a right code was used up, in the transaction. */
  readonly afterCheck?: (em: EntityManager) => Promise<void>;
  /** Runs when a sign-in asks for the methods of a user. */
  readonly atChallenge?: (user: string) => Promise<void>;
}

/** Limits of wrong answers, as MFA_RATE_LIMIT has them by default. */
export const CODE_LIMITS = [{ count: 10, seconds: 900, scope: 'account' }] as const;

const ERRORS = { code_wrong: { status: 400, detail: 'The code is wrong.' } } as const;
const codeError = errorsOf(ERRORS);

class CodeInput {
  @IsString()
  challenge!: string;

  @IsString()
  code!: string;

  /** The code with which a user sets the factor up, or answers. */
  @IsOptional()
  @IsString()
  method?: string;
}

/** The second factor: codes in a table, each of which works once. */
export class Codes {
  constructor(
    readonly kernel: AuthKernel,
    private readonly options: CodesOptions,
  ) {}

  get #name(): string {
    return this.options.name ?? 'codes';
  }

  /** Sets the factor up, with these codes. */
  async give(user: string, codes: readonly string[]): Promise<void> {
    await this.kernel.database.transaction(async (em) => {
      await this.kernel.accounts.setSecondFactor(user, this.#name, true, em);
      await this.#add(user, codes, em);
    });
  }

  /** Takes the factor off, and ends every session. */
  async remove(user: string): Promise<void> {
    await this.kernel.database.transaction(async (em) => {
      await this.kernel.accounts.setSecondFactor(user, this.#name, false, em);
      await this.kernel.database.query('delete from test_code where user_id = $1', [user], em);
      await this.kernel.sessions.revokeAll(user, { em });
    });
  }

  /** An answer to a challenge. The method `<name>_setup` sets the factor up with the code. */
  proof(code: string, method = this.#name): SecondFactorProof {
    return {
      method,
      amr: ['otp', 'mfa'],
      verify: async (user, em) => {
        if (method === `${this.#name}_setup`) {
          await this.kernel.accounts.setSecondFactor(user, this.#name, true, em);
          return this.#add(String(user), [code], em);
        }
        const sql = 'delete from test_code where user_id = $1 and code = $2 returning 1';
        const used = await this.kernel.database.query(sql, [user, code], em);
        if (used.length === 0) throw codeError('code_wrong');
        await this.options.afterCheck?.(em);
      },
    };
  }

  /** How many codes a user has. */
  async countOf(user: UserId): Promise<number> {
    const sql = 'select count(*)::int as count from test_code where user_id = $1';
    const [row] = await this.kernel.database.query<{ count: number }>(sql, [user]);
    return row?.count ?? 0;
  }

  async #add(user: string, codes: readonly string[], em: EntityManager): Promise<void> {
    const sql = 'insert into test_code (user_id, code) select $1, unnest($2::text[])';
    await this.kernel.database.query(sql, [user, codes], em);
  }
}

function createCodesController(codes: Codes, { prefix, transport, originGuard }: AuthKernel['http']) {
  @AuthController(prefix, { originGuard, isJsonOnly: true })
  class CodesController {
    @Post('/codes/verify')
    @HttpCode(200)
    @DescribeRoute({
      id: 'verifyCode',
      tag: 'Codes',
      summary: 'Answer a challenge',
      body: CodeInput,
      answers: { 200: { description: 'Signed in.' } },
      errors: ['code_wrong', 'challenge_not_valid'],
      isLimited: true,
      isIssuingTokens: true,
    })
    async verify(
      @Body({ type: CodeInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ) {
      const { challenge, code, method } = validateInput(CodeInput, body);
      const client = transport.clientOf(request);
      const tokens = await codes.kernel.signIn.answer(challenge, codes.proof(code, method), client);
      return transport.signIn(request, response, tokens);
    }
  }
  return CodesController;
}

/** A module with a second factor, as an app would write it. */
export function codesModule(options: CodesOptions = {}): AuthModule {
  const { name = 'codes', isAlwaysAsked = true, limits = CODE_LIMITS, isRequired = false } = options;
  const methodsOf = async (user: UserId) => {
    await options.atChallenge?.(String(user));
    return [name, `${name}_backup`];
  };
  const setup = isRequired && { setupMethod: `${name}_setup` };
  return {
    name,
    errors: ERRORS,
    entities: (user) => [
      defineEntity({
        name: 'TestCode',
        tableName: 'test_code',
        properties: {
          user: () => p.manyToOne(user()).deleteRule('cascade').primary(),
          code: p.string().primary(),
        },
      }),
    ],
    create(kernel) {
      const codes = new Codes(kernel, options);
      return {
        controllers: [createCodesController(codes, kernel.http)],
        secondFactors: [
          {
            ...{ name, isAlwaysAsked, limits, methodsOf, ...setup },
            countOf: (user) => codes.countOf(user),
            removeSince: async () => {},
          },
        ],
        api: { codes },
      };
    },
  };
}

/** The codes of an app with the module. */
export const codesOf = (auth: JwtAllauth): Codes => (auth as JwtAllauth & { readonly codes: Codes }).codes;

/** A second factor with the same limits, which no user has: two modules with one setting. */
export const unusedModule: AuthModule = {
  name: 'unused',
  create: () => ({
    secondFactors: [
      {
        name: 'unused',
        isAlwaysAsked: false,
        limits: CODE_LIMITS,
        methodsOf: async () => ['unused'],
        removeSince: async () => {},
      },
    ],
  }),
};

/** The entities of an app with these modules. */
export const entitiesWith = (...modules: readonly AuthModule[]) => [
  AppUser,
  Organization,
  ...createAuthEntities({ user: () => AppUser, modules }),
];
