import { Body, HttpCode, Post, Req, Res } from 'routing-controllers';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import type { InputFields } from '../../http/input-fields.js';
import { DETAIL, newPasswordSchema } from '../../http/json-schema.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { RegistrationInput } from '../../http/registration.input.js';
import type { RouteDescription } from '../../http/route-description.js';
import { tokenAnswer } from '../../http/token-answers.js';
import { validateWholeInput } from '../../http/validate-input.js';
import type { PasswordPolicy } from '../../users/password-policy.js';
import type { RegistrationService } from './registration.service.js';

interface RegistrationParts {
  readonly registration: RegistrationService;
  readonly passwordPolicy: PasswordPolicy;
  readonly inputs: { readonly registration: InputFields };
}

/** The route that signs users up. */
export function createRegistrationController(
  { registration, passwordPolicy, inputs: { registration: fields } }: RegistrationParts,
  { prefix, settings, transport, originGuard: guard, strictOriginGuard, links, secondFactors }: ControllerParts,
) {
  const { emailConfirmationLifetime } = settings;
  /** Whether a sign-up opens no session yet. */
  const isPending = settings.emailVerification === 'mandatory';
  const type = fields.typeOf(RegistrationInput);
  // If a mailed link can sign in, it needs the cookie below. A foreign page must not set it, also if its request
  // asks for the refresh token in the body.
  const originGuard = settings.sessionOnEmailVerification ? strictOriginGuard : guard;
  // This cookie identifies the browser when it requests another link.
  const browser = links?.cookie('email_verification_access_token');

  @AuthController(prefix, { name: 'registration', originGuard, isJsonOnly: true })
  class RegistrationController {
    @Post('/registration')
    @HttpCode(201)
    @DescribeRoute(registrationDescription({ settings, secondFactors }, type, fields.isExtended))
    async register(
      @Body({ type, required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody | { readonly detail: string }> {
      const input = await validateWholeInput(type, body, (given) =>
        passwordPolicy.fieldErrors('password', given.password, given),
      );
      const { email, password, firstName, lastName } = input;
      const person = { email, password, firstName, lastName, fields: fields.valuesOf(input) };
      const client = isPending ? clientOf(request) : transport.clientOf(request);
      const { tokens, mark } = await registration.register({ ...person, ...client });
      if (mark) browser?.set(response, mark, emailConfirmationLifetime);
      return tokens
        ? transport.signIn(request, response, tokens)
        : { detail: 'Open the link in the mail that was sent to you.' };
    }
  }
  return RegistrationController;
}

function registrationDescription(
  { settings, secondFactors }: Pick<ControllerParts, 'settings' | 'secondFactors'>,
  input: new () => RegistrationInput,
  isExtended: boolean,
): RouteDescription {
  const { emailVerification, preventEnumeration, registrationRateLimit } = settings;
  const isMandatory = emailVerification === 'mandatory';
  const mailed = {
    description: 'A mail is on its way. Its link confirms the address.',
    headers: { 'Set-Cookie': 'Sets the cookie that identifies the sign-up of this browser.' },
    json: DETAIL,
  };
  return {
    id: 'register',
    tag: 'Sign-in',
    summary: 'Sign up',
    body: { input, name: RegistrationInput.name, fields: { password: newPasswordSchema(settings) } },
    answers: { 201: isMandatory ? mailed : tokenAnswer('Signed up and signed in.', settings) },
    errors: [
      ...(isMandatory && preventEnumeration ? [] : [ErrorCode.EmailAlreadyRegistered]),
      ...(isExtended && !isMandatory ? [ErrorCode.FieldAlreadyTaken] : []),
    ],
    isLimited: emailVerification !== 'none' || registrationRateLimit.length > 0,
    isIssuingTokens: !isMandatory,
    ...(!isMandatory && { secondFactors }),
  };
}
