import type { PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/server';
import { Body, HttpCode, Post, Req, Res } from 'routing-controllers';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import type { InputFields } from '../../http/input-fields.js';
import { DETAIL } from '../../http/json-schema.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { RegistrationInput } from '../../http/registration.input.js';
import type { RouteDescription } from '../../http/route-description.js';
import { tokenAnswer } from '../../http/token-answers.js';
import { validateInputWithout } from '../../http/validate-input.js';
import { splitCredential } from './passkey-body.js';
import { CREATION_OPTIONS, CREDENTIAL, PASSKEY_TAG } from './passkey-descriptions.js';
import type { PasskeySignUpService } from './passkey-sign-up.service.js';

/** The fields of `RegistrationInput` that this sign-up does not have. */
const WITHOUT_PASSWORD = ['password'] as const;

interface SignUpParts {
  readonly passkeySignUp: PasskeySignUpService;
  readonly inputs: { readonly registration: InputFields };
}

/** The routes that sign users up with a passkey. */
export function createPasskeySignUpController(
  { passkeySignUp, inputs: { registration: fields } }: SignUpParts,
  { prefix, settings, transport, originGuard: guard, strictOriginGuard, links, secondFactors }: ControllerParts,
) {
  const type = fields.typeOf(RegistrationInput);
  // As at a sign-up with a password: a foreign page must not set the cookie below if a mailed link can sign in.
  const originGuard = settings.sessionOnEmailVerification ? strictOriginGuard : guard;
  /** Whether a sign-up opens no session yet. */
  const isPending = settings.emailVerification === 'mandatory';
  // This cookie identifies the browser when it requests another link.
  const browser = links?.cookie('email_verification_access_token');
  const read = (body: unknown) => validateInputWithout(type, WITHOUT_PASSWORD, body);
  const descriptions = descriptionsOf({ settings, secondFactors }, type, fields.isExtended);

  @AuthController(prefix, { name: 'passkeySignUp', originGuard, isJsonOnly: true })
  class PasskeySignUpController {
    @Post('/passkeys/sign-up/options')
    @DescribeRoute(descriptions.options)
    async options(
      @Body({ type, required: false }) body: unknown,
      @Req() request: HttpRequest,
    ): Promise<PublicKeyCredentialCreationOptionsJSON> {
      const { email } = await read(body);
      return passkeySignUp.options(email, clientOf(request));
    }

    @Post('/passkeys/sign-up')
    @HttpCode(201)
    @DescribeRoute(descriptions.signUp)
    async signUp(
      @Body({ required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody | { readonly detail: string }> {
      const { credential, rest } = splitCredential(body);
      const input = await read(rest);
      const { email, firstName, lastName } = input;
      const person = { email, firstName, lastName, fields: fields.valuesOf(input) };
      const client = isPending ? clientOf(request) : transport.clientOf(request);
      const { tokens, mark } = await passkeySignUp.signUp(person, credential, client);
      if (mark) browser?.set(response, mark, settings.emailConfirmationLifetime);
      return tokens
        ? transport.signIn(request, response, tokens)
        : { detail: 'Open the link in the mail that was sent to you.' };
    }
  }
  return PasskeySignUpController;
}

function descriptionsOf(
  { settings, secondFactors }: Pick<ControllerParts, 'settings' | 'secondFactors'>,
  input: new () => RegistrationInput,
  isExtended: boolean,
): Record<'options' | 'signUp', RouteDescription> {
  const { emailVerification, preventEnumeration } = settings;
  const isMandatory = emailVerification === 'mandatory';
  const taken = isMandatory && preventEnumeration ? [] : [ErrorCode.EmailAlreadyRegistered];
  const fieldTaken = isExtended && !isMandatory ? [ErrorCode.FieldAlreadyTaken] : [];
  const mailed = {
    description: 'A mail is on its way. Its link confirms the address.',
    headers: { 'Set-Cookie': 'Sets the cookie that identifies the sign-up of this browser.' },
    json: DETAIL,
  };
  return {
    options: {
      id: 'passkeySignUpOptions',
      tag: PASSKEY_TAG,
      summary: 'Get the options for the passkey of a new user',
      description: 'Counts as a sign-up for REGISTRATION_RATE_LIMIT.',
      body: { input, name: 'PasskeySignUpOptions', without: WITHOUT_PASSWORD },
      answers: {
        200: {
          description: 'The JSON for `PublicKeyCredential.parseCreationOptionsFromJSON`.',
          json: CREATION_OPTIONS,
        },
      },
      errors: taken,
      isLimited: true,
    },
    signUp: {
      id: 'signUpWithPasskey',
      tag: PASSKEY_TAG,
      summary: 'Sign up with a passkey',
      body: {
        input,
        name: 'PasskeySignUp',
        without: WITHOUT_PASSWORD,
        fields: { credential: CREDENTIAL },
        required: ['credential'],
      },
      answers: { 201: isMandatory ? mailed : tokenAnswer('Signed up and signed in.', settings) },
      errors: ['passkey_not_valid', 'passkey_already_registered', ...taken, ...fieldTaken],
      isLimited: true,
      isIssuingTokens: !isMandatory,
      ...(!isMandatory && { secondFactors }),
    },
  };
}
