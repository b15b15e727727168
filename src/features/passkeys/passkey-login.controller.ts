import type { PublicKeyCredentialRequestOptionsJSON } from '@simplewebauthn/server';
import { Body, CurrentUser, Post, Req, Res, UseBefore } from 'routing-controllers';
import { SessionPrincipal } from '../../authentication/session-principal.js';
import { ErrorCode } from '../../error.js';
import { AuthController } from '../../http/auth-controller.decorator.js';
import type { ControllerParts } from '../../http/controller-parts.js';
import { DescribeRoute } from '../../http/describe-route.decorator.js';
import { clientOf, type HttpRequest, type HttpResponse } from '../../http/http-message.js';
import type { TokenBody } from '../../http/refresh-token-transport.js';
import { tokenAnswer } from '../../http/token-answers.js';
import { validateInput } from '../../http/validate-input.js';
import { readCredential } from './passkey-body.js';
import { PasskeyChallengeInput } from './passkey-challenge.input.js';
import { FIELDS, PASSKEY_LOGIN, PASSKEY_TAG, REQUEST_OPTIONS } from './passkey-descriptions.js';
import type { PasskeySignInService } from './passkey-sign-in.service.js';

/** The routes that sign in with a passkey. */
export function createPasskeyLoginController(
  passkeySignIn: PasskeySignInService,
  { prefix, settings, transport, originGuard }: ControllerParts,
) {
  @AuthController(prefix, { isJsonOnly: true })
  class PasskeyLoginController {
    @Post('/passkeys/login/options')
    @DescribeRoute({
      id: 'passkeyLoginOptions',
      tag: PASSKEY_TAG,
      summary: 'Get the options for a signature by a passkey',
      description:
        'Without `challenge` and access token, they are for a sign-in and name no passkey. With a `challenge`, they ' +
        'are for its answer. With an access token, they are for `POST /reauthenticate`.',
      body: { input: PasskeyChallengeInput, fields: { challenge: FIELDS.challenge } },
      answers: {
        200: { description: 'The JSON for `PublicKeyCredential.parseRequestOptionsFromJSON`.', json: REQUEST_OPTIONS },
      },
      errors: ['challenge_not_valid', 'passkey_not_found'],
      isLimited: true,
    })
    async options(
      @CurrentUser() principal: SessionPrincipal | undefined,
      @Body({ type: PasskeyChallengeInput, required: false }) body: unknown,
      @Req() request: HttpRequest,
    ): Promise<PublicKeyCredentialRequestOptionsJSON> {
      const { challenge } = validateInput(PasskeyChallengeInput, body);
      return passkeySignIn.options({ challenge, caller: principal?.claims }, clientOf(request));
    }

    @Post('/passkeys/login')
    @UseBefore(originGuard)
    @DescribeRoute({
      id: 'signInWithPasskey',
      tag: PASSKEY_TAG,
      summary: 'Sign in with a passkey, or answer the challenge of a sign-in',
      body: { json: PASSKEY_LOGIN },
      answers: { 200: tokenAnswer('Signed in.', settings) },
      errors: [
        'passkey_refused',
        'challenge_not_valid',
        ErrorCode.IncorrectCredentials,
        ErrorCode.NoActiveAccount,
        ErrorCode.EmailNotVerified,
      ],
      isLimited: true,
      isIssuingTokens: true,
    })
    async signIn(
      @Body({ required: false }) body: unknown,
      @Req() request: HttpRequest,
      @Res() response: HttpResponse,
    ): Promise<TokenBody> {
      const { input, credential } = readCredential(PasskeyChallengeInput, body);
      const client = transport.clientOf(request);
      const tokens = await (input.challenge === undefined
        ? passkeySignIn.signIn(credential, client)
        : passkeySignIn.answer(input.challenge, credential, client));
      return transport.signIn(request, response, tokens);
    }
  }
  return PasskeyLoginController;
}
